"""Removing a run for good, so that a crash anywhere leaves nothing that is half true.

The order: hold the run's lock; look again whether it may go; make the claim of its idempotency key
a tombstone, so that its work is never done again; remove the journal; then what belongs to it. What
a crash leaves behind a removed journal belongs to no run, and the next removal sweeps it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from durably_cli import clock, files, ids, journal
from durably_cli.claims import Claim, Claims
from durably_cli.errors import DurablyError, JournalDamaged, NotFound, UsageError
from durably_cli.events import RunCreated
from durably_cli.locks import Lock
from durably_cli.reader import Reading
from durably_cli.state import NotARun, Status, fold
from durably_cli.store import Store


def remove(store: Store, run_id: str, statuses: Collection[Status], *, free_key: bool) -> int:
    """Remove a run, if it is of one of these statuses; how many bytes that freed.

    NotFound if there is none; Busy if a process holds it; UsageError if it is of another status.
    """
    path = store.path_of(run_id)
    try:
        lock = journal.hold(path, seconds=0)
    except FileNotFoundError:
        raise NotFound(f"there is no run {run_id} in {store.root}", hint="durably list") from None
    try:
        created, status = _look(lock, path, run_id)
        claims = Claims(store.root)
        begun = created is not None and claims.is_buried(created)
        if status not in statuses and not begun:
            raise UsageError(
                f"run {ids.short(run_id)} is {status}, and only those that are "
                f"{' or '.join(statuses)} were to go",
                hint=f"durably delete {ids.short(run_id)} --status {status}",
            )
        _settle_claim(claims, run_id, created, free_key=free_key)
        freed = os.fstat(lock.fd).st_size
        os.unlink(path)
        files.sync_folder(path.parent)
    finally:
        lock.close()
    return freed + sum(map(_removed, list(companions(path))))


def companions(path: Path) -> Iterator[Path]:
    """What stands beside a journal and belongs to it."""
    for name in files.names(path.parent):
        if name.startswith(f"{path.stem}.") and name != path.name:
            yield path.parent / name


def orphans(store: Store) -> Iterator[Path]:
    """What a removal that was cut short has left: it stands beside a journal that is gone."""
    for day in files.names(store.runs):
        folder = store.runs / day
        for name in files.names(folder) if folder.is_dir() else []:
            run_id, dot, rest = name.partition(".")
            is_companion = dot and rest != "jsonl" and ids.is_id(run_id)
            if is_companion and not os.path.lexists(folder / f"{run_id}.jsonl"):
                yield folder / name


def sweep(store: Store) -> int:
    """Finish the removals that were cut short; how many bytes that freed."""
    return sum(map(_removed, list(orphans(store))))


def _look(lock: Lock, path: Path, run_id: str) -> tuple[RunCreated | None, Status]:
    """What the held run was made as, if that can be read, and where it stands."""
    created: RunCreated | None = None
    try:
        for event in Reading(lock.fd, path, run_id):
            created = event if isinstance(event, RunCreated) else None
            break
        state = fold(Reading(lock.fd, path, run_id))
    except (JournalDamaged, NotARun):
        return created, Status.DAMAGED
    except DurablyError:
        return created, Status.UNREADABLE
    return created, state.status if state.has_ended else Status.INTERRUPTED


def _settle_claim(
    claims: Claims, run_id: str, created: RunCreated | None, *, free_key: bool
) -> None:
    found: tuple[Path, Claim] | None = None
    if created is None:  # its first line cannot be read: look at every claim
        found = claims.of_run(run_id)
    elif created.idempotency_key is not None:
        claim = claims.find(created.job, created.idempotency_key)
        if claim is not None and claim.run == run_id:
            found = claims.path(created.job, created.idempotency_key), claim
    if found is None:
        return
    if free_key:
        claims.free(found[0])
    elif not found[1].deleted:
        claims.bury(*found, clock.now())


def _removed(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        size = sum(each.lstat().st_size for each in path.rglob("*"))
        shutil.rmtree(path)
        return size
    size = path.lstat().st_size
    path.unlink(missing_ok=True)
    return size
