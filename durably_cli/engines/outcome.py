"""What an execution brought about, as a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.run_view import RunView
from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.spent import Interval, ran_until, time_in
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import (
    StepCompleted,
    StepDiscarded,
    StepMarkedDone,
    StepOutdated,
)
from durably_cli.journal.step_state import StepStatus


class Outcome(NamedTuple):
    """What came of one attempt's steps.

    So many were `completed` in it, but for those that somebody had marked as done, so many have
    `failed`, and so many were `replayed`, which had taken `saved_ms` when they ran: time side by
    side counts once. `unused` are those whose result was not asked for again. No map is counted.
    """

    completed: int
    replayed: int
    unused: list[str]
    failed: int
    saved_ms: int


def outcome_of(run: LiveRun, view: RunView) -> Outcome:
    """What came of the attempt at this run, whose journal stands now as the view has it."""
    before, now = run.state, view.state
    unused = [name for name in run.past.results if name not in now.maps]
    discarded = now.discarded_steps - before.discarded_steps
    saved_ms = before.spent.ms
    if unused or discarded:
        saved_ms = time_in(_replayed(view.events(), unused, now.maps))
    return Outcome(
        completed=now.completed_steps - before.completed_steps + discarded - _given(run, now),
        replayed=before.completed_steps - discarded - len(unused),
        unused=unused,
        failed=sum(
            step.attempt == len(now.attempts) and step.name not in now.maps
            for step in now.failed_steps
        ),
        saved_ms=saved_ms,
    )


def _given(run: LiveRun, now: RunState) -> int:
    """How many results were not made by a step, but given by somebody."""
    steps = run.state.unfinished.values()
    marked = {step.name for step in steps if step.status is StepStatus.MARKED_DONE}
    marked -= {each.name for each in run.decisions if isinstance(each, StepDiscarded)}
    marked |= {each.name for each in run.decisions if isinstance(each, StepMarkedDone)}
    return sum(name not in now.unfinished for name in marked)


def _replayed(
    events: Iterable[Event], unused: Collection[str], maps: Collection[str]
) -> Iterable[Interval]:
    """When the steps ran whose results were handed back in the last attempt."""
    ran, now = dict[str, Interval](), set[str]()
    for event in events:
        if isinstance(event, StepCompleted):
            ran[event.name] = ran_until(event.at, event.ms)
            now.add(event.name)
        elif isinstance(event, (StepDiscarded, StepOutdated)):
            ran.pop(event.name, None)
        elif isinstance(event, RunStarted):
            now.clear()
    left_out = {*now, *unused, *maps}
    return (each for name, each in ran.items() if name not in left_out)
