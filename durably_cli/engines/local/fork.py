"""A new run that starts with what another one has, which has ended.

Its journal begins with the lines of that run's steps that have results, and of failures which the
job lived on after; large results are shared, as links. It is made whole, and then executed as any
run is that was left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.local import copied, who
from durably_cli.engines.local.attempt import Runnable
from durably_cli.engines.local.decisions import Decisions, redone
from durably_cli.engines.local.forks import folder_of_forks
from durably_cli.engines.local.past import gather, past_of
from durably_cli.engines.local.resume import held_by
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import fold_reading, whole_input
from durably_cli.errors import Busy, Conflict, JournalTooNew
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import FORMAT, RunCreated, RunForked
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.system import clock, files, ids
from durably_cli.values.strict_json import Json, printable


class ForkRequest(NamedTuple):
    """What a fork is to be: with what of the input laid over, and which steps executed again.

    `project` is its folder, in which the job runs. With `redo_failed` no failure is replayed.
    """

    project: str
    lay_over: Callable[[Json], Json]
    decisions: Decisions
    redo_failed: bool = False


Load = Callable[[RunCreated], Runnable]


class Forked(NamedTuple):
    """The run that was made, and what remains to be decided of its steps."""

    run_id: str
    decisions: Decisions


def fork(store: Store, origin: str, asked: ForkRequest, load: Load) -> Forked:
    """Make a run of what this one has.

    Busy if a process holds it, Conflict if it has not ended, NotFound for a step that it has not,
    InvalidInput from the job's model: nothing is made then.
    """
    path = store.path_of(origin)
    try:
        lock = store.hold(origin, seconds=0)
    except Busy as busy:
        with store.view(origin) as view:
            raise held_by(view, busy) from None
    try:
        reading = JournalReader(lock.fd, path, origin, doubt=missing(Blobs(path)))
        past = past_of(path)
        state = fold_reading(gather(reading, past, path), path)
        _check_may_fork(path, state)
        redo = list(redone(asked.decisions.redo, state, past))
        input = whole_input(path, state.created)
        wanted = asked.lay_over(input)
        job = load(state.created)
        if wanted != input:
            input = job.settle(wanted, is_compared=False).input
        else:
            job.work(input)  # which refuses what the model rejects
        created = _created(state.created, input, asked.project)
        kept = copied.steps(lock.fd, path, state, failures=not asked.redo_failed)
        there = {event[0] for event in kept}
        _make(store, path, created, [*kept, RunForked(origin, who.user(), clock.now())])
    finally:
        lock.close()
    return Forked(created.run, asked.decisions._replace(redo=[n for n in redo if n in there]))


def _check_may_fork(path: Path, state: RunState) -> None:
    run = ids.short(path.stem)
    if state.unknown:
        raise JournalTooNew(
            f"{path} has events that this durably does not know: {', '.join(state.unknown)}",
            hint="upgrade durably",
        )
    if not state.has_ended:
        raise Conflict(
            f"run {run} has not ended, and only what has can be forked",
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
        folder=printable(project),
    )


def _make(store: Store, origin: Path, created: RunCreated, events: Sequence[Event]) -> None:
    path = store.path_of(created.run)
    files.make_folder(path.parent)

    def prepare() -> Iterator[Event]:
        yield from copied.linked(origin, path, events)
        _note(store, origin, created.run)

    journal = ownership.create_journal(path, store.temporary, created, prepare)
    if journal is None:
        raise AssertionError(f"{path} is new, and is there")
    journal.close()


def _note(store: Store, origin: Path, run_id: str) -> None:
    """Say beside the origin's journal that there is this fork of it."""
    folder = folder_of_forks(origin)
    files.make_folder(folder)
    files.publish(files.written(store.temporary, folder.name, b""), folder / run_id)
