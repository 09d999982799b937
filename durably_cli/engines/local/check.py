"""What every file of a store is worth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from durably_cli.engines.local import remove
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView, is_imported
from durably_cli.engines.run_view import Unreadable
from durably_cli.errors import DurablyError, Forbidden, JournalDamaged
from durably_cli.journal.blobs import INPUT, BlobDamaged, Blobs, is_file_name
from durably_cli.journal.large import stored
from durably_cli.system import files, ids, locks
from durably_cli.values.quantities import plural, size

FileKind = Literal["journal", "result", "original", "key", "lock", "leftover", "foreign", "cron"]
FileState = Literal["ok", "damaged", "unreadable", "unfinished", "leftover", "foreign", "warning"]


class Finding(NamedTuple):
    """One file: what it is, which, what it is worth, and what that means.

    One of the kind `cron` is no file, but what a schedule finds, and `warning` what it lacks. Of
    the other states, `unfinished` means that the next command finishes it, and `leftover` that it
    will be swept.
    """

    kind: FileKind
    name: str
    state: FileState
    detail: str


Time = Callable[[str], str]
"""How a journal's time is said to whoever reads the findings."""


def of_runs(store: Store, runs: list[str], time: Time) -> Iterator[Finding]:
    """What the files of these runs are worth."""
    for run_id in runs:
        yield from _of_run(store, run_id, time)


def of_all(store: Store, time: Time) -> Iterator[Finding]:
    """What every file of the store is worth."""
    for run_id in store.run_ids():
        yield from _of_run(store, run_id, time)
    for path, claim in Claims(store.root).all():
        yield _of_claim(store, path, claim, time)
    for name in sorted(files.names(store.root / "locks")):
        yield _of_lock(store.root / "locks" / name)
    for name in sorted(files.names(store.temporary)):
        yield Finding("leftover", f"tmp/{name}", "leftover", "of a crash; swept when a day old")
    for path in remove.orphans(store):
        detail = "of a removal, a fork or an import that was cut short; the next delete removes it"
        yield Finding("leftover", _name(store, path), "leftover", detail)
    yield from _foreign(store)


def _of_run(store: Store, run_id: str, time: Time) -> Iterator[Finding]:
    found = store.look(run_id)
    if isinstance(found, Unreadable):
        if isinstance(found.error, JournalDamaged):
            detail = f"no step is intact; {_place(found.error)}"
            yield Finding("journal", run_id, "damaged", detail)
        else:
            yield Finding("journal", run_id, "unreadable", found.error.what)
    elif isinstance(found, JournalView):
        with found:
            yield _of_view(found, time)
            yield from _of_its_blobs(found)
            yield from _of_its_key(store, found)
    for path in store.originals(run_id):
        yield Finding("original", path.name, "ok", f"kept beside its journal, {_size(path)}")


def _of_view(view: JournalView, time: Time) -> Finding:
    steps, damage = view.state.completed_steps, view.damage
    if damage:
        several = "step 1 is intact" if steps == 1 else f"steps 1 to {steps:,} are intact"
        intact = several if steps else "no step is intact"
        detail = f"{intact}; {_place(damage)}"
        return Finding("journal", view.run_id, "damaged", detail)
    detail = f"{view.status}, {plural(steps, 'step')}{', imported' if view.imported else ''}"
    if view.torn_bytes:
        detail += f"; a crash left {plural(view.torn_bytes, 'byte')}, which the next attempt drops"
    for event in view.state.repaired:
        detail += f"; repaired by {event.by} at {time(event.at)}"
    return Finding("journal", view.run_id, "ok", detail)


def _place(damage: JournalDamaged) -> str:
    return f"line {damage.line} is damaged at byte {damage.byte:,}: {damage.reason}"


def _of_its_blobs(view: JournalView) -> Iterator[Finding]:
    """Its large values; and files beside them that no line names, as a crash leaves them."""
    blobs, named = Blobs(view.path), set[str]()
    for event in view.events():
        found = stored(event)
        if found is not None:
            try:
                named.add(blobs.path_of(found.reference).name)
                blobs.check(found.reference)
            except (BlobDamaged, DurablyError) as error:
                detail = f"{found.what} is lost: {error}"
                yield Finding("result", view.run_id, "damaged", detail)
    for name in sorted(set(files.names(blobs.folder)) - named):
        path = f"{blobs.folder.name}/{name}"
        if not is_file_name(name):
            yield Finding("foreign", path, "foreign", "not of durably; left alone")
            continue
        detail = "named by no good line of its journal; goes with its run"
        yield Finding("result", path, "leftover", detail)


def _of_its_key(store: Store, view: JournalView) -> Iterator[Finding]:
    """A run whose key does not stand for it could be run twice."""
    created = view.state.created
    if created.idempotency_key is None or view.imported:
        return
    claims = Claims(store.root)
    name = f"keys/{claims.path(created.job, created.idempotency_key).name}"
    try:
        claim = claims.find(created.job, created.idempotency_key)
    except (DurablyError, OSError):
        return  # it is reported where the claims are
    if claim is None:
        detail = f"the key of run {ids.short(view.run_id)} does not stand for it"
        yield Finding("key", name, "damaged", detail)
    elif claim.run != view.run_id:
        detail = f"the key of run {ids.short(view.run_id)} was freed, and stands for another run"
        yield Finding("key", name, "ok", detail)


def _of_claim(store: Store, path: Path, claim: Claim | DurablyError, time: Time) -> Finding:
    name = _name(store, path)
    if isinstance(claim, Forbidden):
        return Finding("key", name, "unreadable", claim.what)
    if isinstance(claim, DurablyError):
        return Finding("key", name, "damaged", claim.what)
    run, is_there = ids.short(claim.run), os.path.lexists(store.path_of(claim.run))
    deleted = f"run {run} was deleted at {time(claim.deleted)}" if claim.deleted else ""
    if deleted and is_there and is_imported(store.path_of(claim.run)):
        return Finding("key", name, "ok", f"{deleted}; an imported copy can be looked at")
    if deleted and is_there:
        detail = f"the deletion of run {run} was cut short; the same command finishes it"
        return Finding("key", name, "unfinished", detail)
    if deleted:
        return Finding("key", name, "ok", deleted)
    if not is_there and any(INPUT not in one.name for one in store.companions(claim.run)):
        detail = f"the journal of run {run} is gone, and what belongs to it is there"
        return Finding("key", name, "damaged", detail)
    if not is_there:
        return Finding("key", name, "unfinished", f"the next trigger makes run {run}")
    return Finding("key", name, "ok", f"stands for run {run}")


def _of_lock(path: Path) -> Finding:
    try:
        fd = files.open_existing(path)
    except (DurablyError, OSError) as error:
        return Finding("lock", f"locks/{path.name}", "unreadable", str(error))
    try:
        detail = "held" if locks.is_held(fd) else "free"
    finally:
        os.close(fd)
    return Finding("lock", f"locks/{path.name}", "ok", detail)


def _foreign(store: Store) -> Iterator[Finding]:
    """What durably did not put there. It is never touched."""
    for name in sorted(files.names(store.root)):
        if name not in ("project.json", "runs", "keys", "locks", "notices", "tmp"):
            yield Finding("foreign", name, "foreign", "not of durably; left alone")
    for name in sorted(files.names(store.root / "keys")):
        if not is_file_name(name):
            yield Finding("foreign", f"keys/{name}", "foreign", "not of durably; left alone")
    for day in sorted(files.names(store.runs)):
        folder = store.runs / day
        if not folder.is_dir():
            yield Finding("foreign", f"runs/{day}", "foreign", "not of durably; left alone")
            continue
        for name in sorted(files.names(folder)):
            if store.owner_of(name) is None or remove.holds_only_foreign(folder / name):
                path = f"runs/{day}/{name}"
                yield Finding("foreign", path, "foreign", "not of durably; left alone")


def _name(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))


def _size(path: Path) -> str:
    return size(path.lstat().st_size)
