"""One attempt at a run whose journal is locked: what is there is read, the rest is executed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli import hints
from durably_cli.engines.decisions import NO_DECISIONS, Decisions, decided, refuse_secrets_in
from durably_cli.engines.execute import execute_in_turn
from durably_cli.engines.live_run import BoundHandler, LiveRun
from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.held_journal import HeldJournal
from durably_cli.engines.local.inbox import Inbox
from durably_cli.engines.local.journal_files import JournalFiles
from durably_cli.engines.local.leftovers import refuse_leftovers
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.turns import take_turn, turn_of
from durably_cli.engines.local.view import (
    Checkpoint,
    fold_reading,
    is_imported,
    whole_input,
)
from durably_cli.engines.observer import Load, Observer
from durably_cli.engines.past import gather, past_of, refuse_unknown, to_go_on_with
from durably_cli.errors import (
    Busy,
    Forbidden,
    InvalidInput,
    NotFound,
)
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs, is_blob_reference
from durably_cli.journal.events import RunCreated
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.writer import Journal
from durably_cli.system import ids
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    pass


def attempted(
    store: Store,
    path: Path,
    lock: Lock,
    load: Load,
    observer: Observer,
    *,
    again: bool,
    decisions: Decisions = NO_DECISIONS,
    kill_leftovers: bool = False,
    only_as: int | None = None,
) -> LiveRun | None:
    """Execute the run whose journal is locked; None if it has ended.

    Busy if that is not the attempt with the number `only_as`.
    """
    try:
        reading = JournalReader(lock.fd, path, path.stem, doubt=missing(Blobs(path)))
        written = JournalFiles(path)
        past = past_of(written)
        state = fold_reading(gather(reading, past, written), path)
        if only_as not in (None, len(state.attempts) + 1):
            raise Busy(f"another process has taken up run {ids.short(path.stem)} meanwhile")
        events = decided(decisions, state, past)
        if state.is_final or (state.has_ended and not again):
            ownership.sync_held(lock)
            if kill_leftovers:
                refuse_leftovers(path, end=True, waits=observer.waits_for_programs)
            return None
        if state.status is Status.FAILED:  # before the job's modules are imported, which takes long
            Inbox(path).forget_cancel()
        past = to_go_on_with(state, past, events)
        check_may_go_on(store, path, state)
        refuse_leftovers(path, end=kill_leftovers, waits=observer.waits_for_programs)
        work = _work(load, state.created, whole_input(path, state.created))
        refuse_secrets_in(events, work.secrets)
        run, saved_as = ownership.take_over(lock, reading, path, store.temporary)
    finally:
        lock.close()
    dropped = reading.torn.size if reading.torn else 0
    held = HeldJournal(run)
    owned = LiveRun(held, state, past, dropped, saved_as, work.secrets, events, work.unread)
    return _executed(store, held, owned, work, observer)


def first_attempted(
    store: Store,
    journal: Journal,
    events: Iterable[Event],
    work: BoundHandler,
    observer: Observer,
) -> LiveRun:
    """Execute a run that was made of these events, which are all that its journal has."""
    path = journal.path
    written = JournalFiles(path)
    past = past_of(written)
    state = fold_reading(gather(events, past, written), path)
    past = to_go_on_with(state, past, ())
    held = HeldJournal(journal)
    owned = LiveRun(held, state, past, secrets=work.secrets, unread=work.unread)
    return _executed(store, held, owned, work, observer)


def _executed(
    store: Store, held: HeldJournal, owned: LiveRun, work: BoundHandler, observer: Observer
) -> LiveRun:
    # Of results in files of their own each is looked for in the end.
    have_files = any(map(is_blob_reference, owned.past.results.values()))
    journal = held.log
    if not have_files:
        held.known = Checkpoint(owned.state, journal.mark, journal.digest)
    with journal:
        observer.owns(owned)
        _execute_in_turn(store, owned, work, observer)
    return owned


def _work(load: Load, created: RunCreated, input: Json) -> BoundHandler:
    """What to execute. InvalidInput, which names the run, if the job's model rejects its input."""
    try:
        return load(created).work(input)
    except InvalidInput as error:
        run = ids.short(created.run)
        what = f"run {run} cannot go on: {error.what}"
        if error.missing:
            what += (
                f"\nthe run was made without {', '.join(error.missing)}: what is "
                "required since then needs a default in the model, for the runs of before"
            )
        hint = hints.command("resume", run) + "    (once that is mended)"
        raise InvalidInput(what, hint=hint, missing=error.missing) from None


def check_may_go_on(store: Store, path: Path, state: RunState) -> None:
    """Forbidden, NotFound or JournalTooNew if nobody is to execute this run."""
    run_id = path.stem
    if is_imported(path):
        raise Forbidden(
            f"run {ids.short(run_id)} was imported, and is read-only",
            hint=f"{hints.command('import', 'FILE', '--adopt')}    "
            "(makes it one of this project's own)",
        )
    if Claims(store.root).is_buried(state.created):
        raise NotFound(
            f"run {ids.short(run_id)} is deleted: its removal was cut short",
            hint=f"{hints.command('verify', ids.short(run_id))}    (shows what is left of it)",
        )
    refuse_unknown(str(path), state)


def _execute_in_turn(store: Store, owned: LiveRun, work: BoundHandler, observer: Observer) -> None:
    with turn_of(store.root, owned.state.created.concurrency_key) as turn:

        def wait() -> None:
            take_turn(turn, owned.run_id, observer.waits_for_key)
            turn.begin(owned.run_id, store.path_of, observer.waits_for_programs)

        execute_in_turn(owned, work, observer, wait)
