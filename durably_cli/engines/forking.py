"""What a new run is made of that starts with what another one has, which has ended.

Its events are those of that run's steps that have results, and of failures which the job lived on
after. Each engine writes them as one, and executes the run then as any other that was left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.decisions import Decisions, discarded, steps_named
from durably_cli.engines.past import refuse_unknown, whole_or_empty
from durably_cli.engines.steps_of_origin import StepsOfOrigin
from durably_cli.errors import Conflict
from durably_cli.journal.events import FORMAT, RunCreated, RunForked
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.system import clock, ids
from durably_cli.values.strict_json import Json, printable

if TYPE_CHECKING:
    from durably_cli.engines.held import Written
    from durably_cli.engines.payload import ReadyInput
    from durably_cli.values.unread import Unread


class ForkRequest(NamedTuple):
    """What a fork is to be: with what of the input laid over, and which steps executed again.

    `project` is its folder, in which the job runs. With `redo_failed` no failure is replayed.
    """

    project: str
    lay_over: Callable[[Json], Json]
    decisions: Decisions
    redo_failed: bool = False


class Forked(NamedTuple):
    """What a fork is made as, and the events behind that.

    `unread` is what of another input nobody reads.
    """

    created: RunCreated
    events: list[Event]
    unread: Sequence[Unread] = ()


def check_may_fork(where: str, state: RunState) -> None:
    """Conflict if this run has not ended, JournalTooNew if nobody here can read all of it."""
    run = ids.short(state.created.run)
    refuse_unknown(where, state)
    if not state.has_ended:
        raise Conflict(
            f"run {run} has not ended: only a run that has ended can be forked",
            hint=f"{hints.command('resume', run)}    (goes on with it)\n"
            f"{hints.command('cancel', run)}    (ends it for good)",
            code="has-not-ended",
        )


def forked(
    steps: StepsOfOrigin,
    state: RunState,
    input: Json,
    written: Written,
    asked: ForkRequest,
    settle: Callable[[Json], ReadyInput],
) -> Forked:
    """What a fork of the run is made of whose steps were noted; `settle` checks another input.

    NotFound for a step that it has not; InvalidInput from the job's model.
    """
    redo = list(steps_named(asked.decisions.redo, steps.names, state))
    wanted = asked.lay_over(input)
    unread: Sequence[Unread] = ()
    if wanted != input:
        settled = settle(wanted)
        input, unread = settled.input, settled.unread
    created = _created(state.created, input, asked.project)
    # What came behind a map has gone on without those of its items that failed.
    items = state.failed_items if asked.redo_failed else []
    events, by = steps.of_a_fork(state, failures=not asked.redo_failed, items=items), who.user()
    redo += items
    there = {event[0] for event in events}
    events.append(RunForked(state.created.run, by, clock.now(), steps.keys_of(state)))
    for name in filter(there.__contains__, dict.fromkeys(redo)):
        done, only = steps.result_of(name), asked.decisions.only
        result, ms = (whole_or_empty(done.result, written), done.ms) if done else (None, 0)
        events.append(discarded(name, by, result, ms, only=only))
    return Forked(created, events, unread)


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
