"""What an execution brought about, as a value."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli.engines.local.execute import LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import StepCompleted


class Outcome(NamedTuple):
    """What came of one attempt's steps.

    So many were `completed` in it, and so many `replayed`; `unused` are those whose result was not
    asked for again, `failed` how many of the run have failed. The replayed ones had taken
    `saved_ms` when they ran.
    """

    completed: int
    replayed: int
    unused: list[str]
    failed: int
    saved_ms: int


def outcome_of(run: LiveRun, view: RunView) -> Outcome:
    """What came of the attempt at this run, whose journal stands now as the view has it."""
    unused = run.past.results
    saved_ms = run.state.completed_ms
    if unused:
        events = (event for event in view.events() if isinstance(event, StepCompleted))
        saved_ms -= sum(event.ms for event in events if event.name in unused)
    return Outcome(
        completed=view.state.completed_steps - run.state.completed_steps,
        replayed=run.replayable - len(unused),
        unused=list(unused),
        failed=len(view.state.failed_steps),
        saved_ms=saved_ms,
    )
