"""What an execution brought about, as a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from durably_cli.engines.local.live_run import LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import RunForked, RunStarted
from durably_cli.journal.registry import Event
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
    `failed`, and so many were `replayed`, which had taken `saved_ms` when they ran; `unused` are
    those whose result was not asked for again.
    """

    completed: int
    replayed: int
    unused: list[str]
    failed: int
    saved_ms: int


def outcome_of(run: LiveRun, view: RunView) -> Outcome:
    """What came of the attempt at this run, whose journal stands now as the view has it."""
    unused, before, now = run.past.results, run.state, view.state
    discarded = now.discarded.total() - before.discarded.total()
    outdated = discarded - (before.completed_steps - run.replayable)
    saved_ms = before.completed_ms
    if unused or discarded:
        saved_ms -= _not_saved(view.events(), unused)
    return Outcome(
        completed=now.completed_steps - before.completed_steps + discarded - _given(run, now),
        replayed=run.replayable - outdated - len(unused),
        unused=list(unused),
        failed=sum(step.attempt == len(now.attempts) for step in now.failed_steps),
        saved_ms=saved_ms,
    )


def _given(run: LiveRun, now: RunState) -> int:
    """How many results were not made by a step, but given by somebody."""
    steps = run.state.unfinished.values()
    marked = {step.name for step in steps if step.status is StepStatus.MARKED_DONE}
    marked -= {each.name for each in run.decisions if isinstance(each, StepDiscarded)}
    marked |= {each.name for each in run.decisions if isinstance(each, StepMarkedDone)}
    return sum(name not in now.unfinished for name in marked)


def _not_saved(events: Iterable[Event], unused: Collection[str]) -> int:
    """How long the steps had taken that were not asked for, or discarded in the last attempt."""
    took, discarded = dict[str, int](), 0
    for event in events:
        if isinstance(event, StepCompleted):
            if event.name in unused:
                took[event.name] = event.ms
        elif isinstance(event, (StepDiscarded, StepOutdated)):
            discarded += event.ms
        elif isinstance(event, (RunStarted, RunForked)):
            discarded = 0
    return sum(took.values()) + discarded
