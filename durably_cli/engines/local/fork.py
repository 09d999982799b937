"""A new run that starts with what another one has, which has ended.

Its journal begins with the lines of that run's steps that have results, and of failures which the
job lived on after; large results are shared, as links. It is made whole, and then executed as any
run is that was left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.decisions import Decisions, discarded, steps_named
from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.local import copied
from durably_cli.engines.local.attempt import first_attempted, refuse_unknown
from durably_cli.engines.local.forks import folder_of_forks
from durably_cli.engines.local.journal_files import JournalFiles
from durably_cli.engines.local.leftovers import refuse_leftovers
from durably_cli.engines.local.resume import followed_up, held_by
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import fold_reading, whole_input
from durably_cli.engines.observer import Load, Observer
from durably_cli.engines.past import whole_or_empty
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import Busy, Conflict
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import FORMAT, RunCreated, RunForked
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.journal.writer import Journal
from durably_cli.system import clock, files, ids
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json, printable

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class ForkRequest(NamedTuple):
    """What a fork is to be: with what of the input laid over, and which steps executed again.

    `project` is its folder, in which the job runs. With `redo_failed` no failure is replayed.
    """

    project: str
    lay_over: Callable[[Json], Json]
    decisions: Decisions
    redo_failed: bool = False


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
    steps = copied.StepsOfOrigin()
    reading = JournalReader(lock.fd, path, path.stem, doubt=missing(Blobs(path)))
    state = fold_reading(steps.noting(reading), path)
    check_may_fork(path, state)
    redo = list(steps_named(asked.decisions.redo, steps.names, state))
    input = whole_input(path, state.created)
    wanted = asked.lay_over(input)
    job = load(state.created)
    unread: list[Unread] = []
    if wanted != input:
        settled = job.settle(wanted, is_compared=False)
        input, unread = settled.input, list(settled.unread)
    work = job.work(input)
    work = work._replace(unread=[*unread, *work.unread])
    created = _created(state.created, input, asked.project)
    # What came behind a map has gone on without those of its items that failed.
    items = state.failed_items if asked.redo_failed else []
    events, by = steps.of_a_fork(state, failures=not asked.redo_failed, items=items), who.user()
    redo += items
    there = {event[0] for event in events}
    events.append(RunForked(path.stem, by, clock.now(), steps.keys_of(state)))
    written = JournalFiles(path)
    for name in filter(there.__contains__, dict.fromkeys(redo)):
        done, only = steps.result_of(name), asked.decisions.only
        result, ms = (whole_or_empty(done.result, written), done.ms) if done else (None, 0)
        events.append(discarded(name, by, result, ms, only=only))
    return _make(store, path, created, events, work)


def check_may_fork(path: Path, state: RunState) -> None:
    """Conflict if this run has not ended, JournalTooNew if nobody here can read all of it."""
    run = ids.short(path.stem)
    refuse_unknown(path, state)
    if not state.has_ended:
        raise Conflict(
            f"run {run} has not ended: only a run that has ended can be forked",
            hint=f"{hints.command('resume', run)}    (goes on with it)\n"
            f"{hints.command('cancel', run)}    (ends it for good)",
            code="has-not-ended",
        )


def _created(origin: RunCreated, input: Json, project: str) -> RunCreated:
    return RunCreated(
        format=FORMAT,
        run=ids.new(),
        job=origin.job,
        input=input,
        at=clock.now(),
        concurrency_key=origin.concurrency_key,
        labels=dict(origin.labels),
        project=printable(project),
        pid=os.getpid(),
        host=who.host(),
        folder=printable(project) if origin.folder in ("", origin.project) else origin.folder,
    )


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
