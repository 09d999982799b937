"""Whether an attempt that failed has tried nothing new, so that another one follows at once."""

from __future__ import annotations

from collections.abc import Callable

from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.run_view import RunView
from durably_cli.journal.state import RunState, Status


def due_at_once(run: LiveRun, look: Callable[[], RunView]) -> set[str]:
    """The steps to execute in the next attempt, if this one failed by nothing but their replay.

    There are none if one of them has a stand-in that has completed, and was raised again as another
    exception: the handler may have failed by that, and a person is to look at it first.
    """
    replayed = run.carried.keys() - run.past.failures
    if not replayed:
        return set()
    with look() as view:
        state, failures = view.state, view.state.failures
        if view.status is not Status.FAILED or failures is None:
            return set()
    came_from_others = not replayed.issuperset(state.causes)
    if came_from_others or (not state.causes and _has_new_failures(state)):
        return set()
    due = replayed.difference(failures.carried)
    if any(failures.has_a_stand_in(name) and not run.carried[name] for name in due):
        return set()
    return due


def _has_new_failures(state: RunState) -> bool:
    return any(step.attempt == len(state.attempts) for step in state.failed_steps)
