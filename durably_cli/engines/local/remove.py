"""Removing a run for good, so that a crash anywhere leaves nothing that is half true.

The order: hold the run's lock; look again whether it may go; make the claim of its idempotency key
a tombstone, so that its work is never done again; remove the journal; then what belongs to it. What
a crash leaves behind a removed journal belongs to no run, and the next removal sweeps it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from durably_cli.engines.local.cancel import cancel_children
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.forks import SUFFIX as FORKS
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import is_imported, marker_of
from durably_cli.engines.removal import check_is_not_needed, check_may_go
from durably_cli.errors import (
    DurablyError,
    JournalDamaged,
    JournalError,
)
from durably_cli.journal.blobs import Blobs, is_file_name
from durably_cli.journal.events import RunCreated
from durably_cli.journal.fold import NotARun, fold
from durably_cli.journal.large import missing
from durably_cli.journal.outputs import PROGRAMS, is_of_programs
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.state import Status
from durably_cli.system import clock, files, ids, locks
from durably_cli.system.locks import Lock


def remove(store: Store, run_id: str, statuses: Collection[Status], *, free_key: bool) -> int:
    """Remove a run, if it is of one of these statuses; how many bytes that freed.

    NotFound if there is none; Busy if a process holds it; UsageError if it is of another status,
    or a step of a run that goes on. The runs that are a step of it are ended for good.
    """
    path = store.path_of(run_id)
    lock = store.hold(run_id, seconds=0)
    try:
        created, status, children = _look(lock, path, run_id)
        claims = Claims(store.root)
        claim = _claim_of(claims, run_id, created)
        begun = claim is not None and claim[1].deleted and not is_imported(path)
        if not begun:
            check_may_go(run_id, status, statuses)
        if created is not None and created.parent and not is_imported(path):
            check_is_not_needed(store.look, run_id, created.parent)
        if children and not is_imported(path):
            cancel_children(store, children, f"its parent, run {ids.short(run_id)}, is deleted")
        if claim is not None and free_key:
            claims.free(claim[0])
        elif claim is not None and not claim[1].deleted:
            claims.bury(*claim, clock.now())
        freed = os.fstat(lock.fd).st_size
        os.unlink(path)
        files.sync_folder(path.parent)
    finally:
        lock.close()
    if _is_held(marker_of(path)):  # an import brings it back at this moment
        return freed
    return freed + sum(map(_removed, list(store.companions(run_id))))


def orphans(store: Store) -> Iterator[Path]:
    """What belongs to a run whose journal is not there: a removal or an import was cut short.

    Not what an import puts there at this moment: it holds the lock of its marker. Nor what is left
    of a run that a key stands for: that one was not removed, but lost.
    """
    found = list(_without_journal(store))
    if not found:  # as nearly always: there is no need to read every claim
        return
    claims = (claim for _, claim in Claims(store.root).all())
    lost = {claim.run for claim in claims if isinstance(claim, Claim) and not claim.deleted}
    for run_id, path in found:
        if run_id not in lost and not holds_only_foreign(path):
            yield path


def _without_journal(store: Store) -> Iterator[tuple[str, Path]]:
    for day in files.names(store.runs):
        folder = store.runs / day
        for name in files.names(folder) if folder.is_dir() else []:
            run_id = store.owner_of(name)
            if run_id is None or os.path.lexists(folder / f"{run_id}.jsonl"):
                continue
            if _is_being_made(store, run_id):
                continue
            if not _is_held(marker_of(store.path_of(run_id))):
                yield run_id, folder / name


def _is_being_made(store: Store, run_id: str) -> bool:
    """Is a process about to give this run's journal its name, or has it done so at this moment?"""
    journal = store.path_of(run_id)
    unnamed = [name for name in files.names(store.temporary) if name.startswith(journal.name)]
    return any(_is_held(store.temporary / name) for name in unnamed) or os.path.lexists(journal)


_OURS = {".blobs": is_file_name, PROGRAMS: is_of_programs, FORKS: ids.is_id}
"""Which names durably gives to files in a folder beside a journal."""


def holds_only_foreign(path: Path) -> bool:
    """Is this a folder whose own files are gone, left for what others have put there?"""
    is_ours = _OURS.get(path.suffix)
    inside = files.names(path) if is_ours and path.is_dir() else []
    return bool(inside) and is_ours is not None and not any(map(is_ours, inside))


def _is_held(path: Path) -> bool:
    try:
        fd = files.open_existing(path)
    except (OSError, DurablyError):
        return False
    try:
        return locks.is_held(fd)
    finally:
        os.close(fd)


def sweep(store: Store) -> int:
    """Finish the removals that were cut short; how many bytes that freed."""
    return sum(map(_removed, list(orphans(store))))


def _look(lock: Lock, path: Path, run_id: str) -> tuple[RunCreated | None, Status, Collection[str]]:
    """What the held run was made as, if that can be read, where it stands, its open children."""
    created: RunCreated | None = None
    try:
        for event in JournalReader(lock.fd, path, run_id):
            created = event if isinstance(event, RunCreated) else None
            break
        state = fold(JournalReader(lock.fd, path, run_id, doubt=missing(Blobs(path))))
    except (JournalDamaged, NotARun):
        return created, Status.DAMAGED, ()
    except DurablyError:
        return created, Status.UNREADABLE, ()
    status = state.status if state.has_ended else Status.INTERRUPTED
    if state.is_waiting:
        with Store.of(path).view(run_id) as view:
            view.held = False  # but by this process, so that it can go
            status = view.status
    return created, status, state.open_children


def _claim_of(claims: Claims, run_id: str, created: RunCreated | None) -> tuple[Path, Claim] | None:
    """The claim that stands or stood for the run, with its file; made again if it is damaged."""
    if created is None:  # its first line cannot be read: look at every claim
        return claims.of_run(run_id)
    if created.idempotency_key is None:
        return None
    try:
        claim = claims.find(created.job, created.idempotency_key)
    except JournalError:
        claim = Claim(run_id, "")
    if claim is None or claim.run != run_id:
        return None
    return claims.path(created.job, created.idempotency_key), claim


def _removed(path: Path) -> int:
    """Remove a file, or a folder of files; how many bytes that freed."""
    if not path.is_dir() or path.is_symlink():
        size = path.lstat().st_size
        path.unlink(missing_ok=True)
        return size
    is_ours = _OURS.get(path.suffix, is_file_name)
    freed = sum(_removed(path / name) for name in files.names(path) if is_ours(name))
    try:
        path.rmdir()
    except OSError:  # somebody else has put something there
        pass
    return freed
