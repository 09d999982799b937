"""A new run that starts with what another one has, which has ended.

Its journal begins with the lines of that run's steps that have results, and of failures which the
job lived on after; large results are shared, as links. It is made whole, and then executed as any
run is that was left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.engines.forking import ForkRequest, check_may_fork, forked
from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.local import copied
from durably_cli.engines.local.attempt import first_attempted
from durably_cli.engines.local.forks import folder_of_forks
from durably_cli.engines.local.journal_files import JournalFiles
from durably_cli.engines.local.leftovers import refuse_leftovers
from durably_cli.engines.local.resume import followed_up, held_by
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import fold_reading, whole_input
from durably_cli.engines.observer import Load, Observer
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.engines.steps_of_origin import StepsOfOrigin
from durably_cli.errors import Busy
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import RunCreated
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.writer import Journal
from durably_cli.system import files
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput


class _Made(NamedTuple):
    """A fork that was made and is held, the events that it was made of, and what to execute."""

    journal: Journal
    events: list[Event]
    work: BoundHandler


def fork(
    store: Store, origin: str, asked: ForkRequest, load: Load, observer: Observer
) -> TriggerResult:
    """Make a run of what this one has, and execute it.

    Busy if a process holds it, Conflict if it has not ended, NotFound for a step that it has not,
    InvalidInput from the job's model: nothing is made then.
    """
    try:
        lock = store.hold(origin, seconds=0)
    except Busy as busy:
        with store.view(origin) as view:
            raise held_by(view, busy) from None
    try:
        refuse_leftovers(store.path_of(origin), end=False, waits=observer.waits_for_programs)
        made = _made(store, lock, store.path_of(origin), asked, load)
    finally:
        lock.close()
    attempt = first_attempted(store, made.journal, made.events, made.work, observer)
    return followed_up(store, attempt, load, observer, Disposition.FORKED)


def _made(store: Store, lock: Lock, path: Path, asked: ForkRequest, load: Load) -> _Made:
    steps = StepsOfOrigin()
    reading = JournalReader(lock.fd, path, path.stem, doubt=missing(Blobs(path)))
    state = fold_reading(steps.noting(reading), path)
    check_may_fork(str(path), state)

    def settle(wanted: Json) -> ReadyInput:
        return load(state.created).settle(wanted, is_compared=False)

    input = whole_input(path, state.created)
    made = forked(steps, state, input, JournalFiles(path), asked, settle)
    work = load(state.created).work(made.created.input)
    work = work._replace(unread=[*made.unread, *work.unread])
    return _make(store, path, made.created, made.events, work)


def _make(
    store: Store,
    origin: Path,
    created: RunCreated,
    events: list[Event],
    work: BoundHandler,
) -> _Made:
    path = store.path_of(created.run)
    files.make_folder(path.parent)
    written: list[Event] = [created]

    def prepare() -> Iterator[Event]:
        for event in copied.linked(origin, path, events):
            written.append(event)
            yield event
        _note(store, origin, created.run)

    journal = ownership.create_journal(path, store.temporary, created, prepare)
    if journal is None:
        raise AssertionError(f"{path} is new, and is there")
    return _Made(journal, written, work)


def _note(store: Store, origin: Path, run_id: str) -> None:
    """Say beside the origin's journal that there is this fork of it."""
    folder = folder_of_forks(origin)
    files.make_folder(folder)
    files.publish(files.written(store.temporary, folder.name, b""), folder / run_id)
