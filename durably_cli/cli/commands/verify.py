"""What `durably verify` does: looks at every file of a store, and says what each is worth."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.local import remove
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.store import Store, Unreadable, View, is_imported
from durably_cli.errors import DurablyError, Forbidden, JournalDamaged, JournalError
from durably_cli.journal.blobs import BlobDamaged, Blobs, is_file_name, is_reference
from durably_cli.journal.events import StepCompleted
from durably_cli.project import stores
from durably_cli.render.record import SCHEMA
from durably_cli.render.rows import row
from durably_cli.render.words import plural, size
from durably_cli.system import files, ids, locks
from durably_cli.values.strict_json import to_json

DAMAGED = ("damaged", "unreadable")


class Finding(NamedTuple):
    """One file: what it is, which, what it is worth, and what that means.

    `state` is ok, damaged, unreadable, unfinished (the next command finishes it), leftover (it will
    be swept) or foreign.
    """

    kind: str
    name: str
    state: str
    told: str


def run_verify(project: Path, meant: list[str], *, as_json: bool) -> int:
    """`durably verify`; the exit code."""
    store = stores.open_store(project)
    runs = [find_run(store, one) for one in meant]
    findings = _of_runs(store, runs) if runs else _of_all(store)
    out, bad, separator = sys.stdout, 0, "\n"
    if as_json:
        out.write(f'{{"schema": {SCHEMA}, "findings": [')
    for each in findings:
        bad += each.state in DAMAGED
        if as_json:
            out.write(separator + to_json(each._asdict()))
            separator = ",\n"
        elif out.isatty():
            _show(each)
        else:
            out.write(row(*each))
    if as_json:
        out.write("]}\n")
    out.flush()
    if bad:
        raise JournalError(
            f"{plural(bad, 'file')} in {store.root} cannot be relied on",
            hint=f"{hints.command('inspect', 'RUN')}    (shows what is intact)\n"
            f"{hints.command('help', 'care')}    (says what can be done)",
        )
    return 0


def _of_runs(store: Store, runs: list[str]) -> Iterator[Finding]:
    for run_id in runs:
        yield from _of_run(store, run_id)


def _of_all(store: Store) -> Iterator[Finding]:
    for run_id in store.run_ids():
        yield from _of_run(store, run_id)
    for path, claim in Claims(store.root).all():
        yield _of_claim(store, path, claim)
    for name in sorted(files.names(store.root / "locks")):
        yield _of_lock(store.root / "locks" / name)
    for name in sorted(files.names(store.temporary)):
        yield Finding("leftover", f"tmp/{name}", "leftover", "of a crash; swept when a day old")
    for path in remove.orphans(store):
        told = "of a deletion or an import that was cut short; the next delete or prune removes it"
        yield Finding("leftover", _name(store, path), "leftover", told)
    yield from _foreign(store)


def _of_run(store: Store, run_id: str) -> Iterator[Finding]:
    found = store.look(run_id)
    if isinstance(found, Unreadable):
        told = found.error.what
        if isinstance(found.error, JournalDamaged):
            told = f"no step is intact; {_place(found.error)}"
        yield Finding("journal", run_id, str(found.status), told)
    elif isinstance(found, View):
        with found:
            yield _of_view(found)
            yield from _of_its_blobs(found)
            yield from _of_its_key(store, found)
    for path in store.companions(run_id):
        if path.suffix not in (".blobs", ".imported", ".source"):
            yield Finding("original", path.name, "ok", f"kept beside its journal, {_size(path)}")


def _of_view(view: View) -> Finding:
    steps, damage = view.state.completed_steps, view.damage
    if damage:
        several = "step 1 is intact" if steps == 1 else f"steps 1 to {steps:,} are intact"
        intact = several if steps else "no step is intact"
        told = f"{intact}; {_place(damage)}"
        return Finding("journal", view.run_id, "damaged", told)
    told = f"{view.status}, {plural(steps, 'step')}{', imported' if view.imported else ''}"
    if view.torn_bytes:
        told += f"; a crash left {plural(view.torn_bytes, 'byte')}, which the next attempt drops"
    for event in view.state.repaired:
        told += f"; repaired by {event.by} at {event.at}"
    return Finding("journal", view.run_id, "ok", told)


def _place(damage: JournalDamaged) -> str:
    return f"line {damage.line} is damaged at byte {damage.byte:,}: {damage.reason}"


def _of_its_blobs(view: View) -> Iterator[Finding]:
    """Its large results; and files beside them that no line names, as a crash leaves them."""
    blobs, named = Blobs(view.path), set[str]()
    for event in view.events():
        if isinstance(event, StepCompleted) and is_reference(event.result):
            try:
                named.add(blobs.path_of(event.result).name)
                blobs.check(event.result)
            except (BlobDamaged, DurablyError) as error:
                told = f"the result of step {event.name} is lost: {error}"
                yield Finding("result", view.run_id, "damaged", told)
    for name in sorted(set(files.names(blobs.folder)) - named):
        path = f"{blobs.folder.name}/{name}"
        if not is_file_name(name):
            yield Finding("foreign", path, "foreign", "not of durably; left alone")
            continue
        told = "named by no good line of its journal; goes with its run"
        yield Finding("result", path, "leftover", told)


def _of_its_key(store: Store, view: View) -> Iterator[Finding]:
    """A run whose key does not stand for it could be run twice."""
    created = view.state.created
    if created.idempotency_key is None or view.imported:
        return
    claims = Claims(store.root)
    name = f"keys/{claims.path(created.job, created.idempotency_key).name}"
    try:
        claim = claims.find(created.job, created.idempotency_key)
    except (DurablyError, OSError):
        return  # it is told of where the claims are
    if claim is None:
        told = f"the key of run {ids.short(view.run_id)} does not stand for it"
        yield Finding("key", name, "damaged", told)
    elif claim.run != view.run_id:
        told = f"the key of run {ids.short(view.run_id)} was freed, and stands for another run"
        yield Finding("key", name, "ok", told)


def _of_claim(store: Store, path: Path, claim: Claim | DurablyError) -> Finding:
    name = _name(store, path)
    if isinstance(claim, Forbidden):
        return Finding("key", name, "unreadable", claim.what)
    if isinstance(claim, DurablyError):
        return Finding("key", name, "damaged", claim.what)
    run, is_there = ids.short(claim.run), os.path.lexists(store.path_of(claim.run))
    if claim.deleted and is_there and is_imported(store.path_of(claim.run)):
        told = f"run {run} was deleted at {claim.deleted}; an imported copy can be looked at"
        return Finding("key", name, "ok", told)
    if claim.deleted and is_there:
        told = f"the deletion of run {run} was cut short; the same command finishes it"
        return Finding("key", name, "unfinished", told)
    if claim.deleted:
        return Finding("key", name, "ok", f"run {run} was deleted at {claim.deleted}")
    if not is_there and any(store.companions(claim.run)):
        told = f"the journal of run {run} is gone, and what belongs to it is there"
        return Finding("key", name, "damaged", told)
    if not is_there:
        return Finding("key", name, "unfinished", f"the next trigger makes run {run}")
    return Finding("key", name, "ok", f"stands for run {run}")


def _of_lock(path: Path) -> Finding:
    try:
        fd = files.open_existing(path)
    except (DurablyError, OSError) as error:
        return Finding("lock", f"locks/{path.name}", "unreadable", str(error))
    try:
        told = "held" if locks.is_held(fd) else "free"
    finally:
        os.close(fd)
    return Finding("lock", f"locks/{path.name}", "ok", told)


def _foreign(store: Store) -> Iterator[Finding]:
    """What durably did not put there. It is never touched."""
    for name in sorted(files.names(store.root)):
        if name not in ("project.json", "runs", "keys", "locks", "tmp"):
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
            if store.owner_of(name) is None or remove.holds_foreign_alone(folder / name):
                path = f"runs/{day}/{name}"
                yield Finding("foreign", path, "foreign", "not of durably; left alone")


def _name(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))


def _size(path: Path) -> str:
    return size(path.lstat().st_size)


def _show(each: Finding) -> None:
    from rich.text import Text  # for terminals alone

    from durably_cli.render.colours import LOOKS
    from durably_cli.render.tables import console_on
    from durably_cli.render.words import visible

    colour, sign = LOOKS.get(each.state, ("dim", "·"))
    name = ids.short(each.name) if each.kind == "journal" else each.name
    line = Text.assemble((f"{sign} {each.kind:8} ", colour), (f"{visible(name)}  ", "bold"))
    console_on(sys.stdout).print(line + Text(visible(each.told)), soft_wrap=True)
