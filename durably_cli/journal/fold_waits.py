"""What the events of waits do to the state of their run."""

from __future__ import annotations

from durably_cli.journal.applying import folds
from durably_cli.journal.fold_runs import close_attempt
from durably_cli.journal.state import RunState
from durably_cli.journal.step_state import StepState, StepStatus
from durably_cli.journal.wait_events import WAIT, RunSuspended, SignalReceived, StepWaiting

SUSPENDED = "suspended"
"""How an attempt ended that has ended because all that was left of it waits."""


@folds(StepWaiting)
def _step_waiting(state: RunState, event: StepWaiting) -> None:
    state.waits[event.name] = event
    if event.child:
        state.children[event.name] = event.child
        state.open_children.add(event.child)
    at = len(state.attempts), event.at
    state.unfinished[event.name] = StepState(
        event.name, StepStatus.WAITING, *at, until=event.until or None, when_in_doubt=WAIT
    )
    if state.failures is not None:
        state.failures.started(event)


@folds(SignalReceived)
def _signal_received(state: RunState, event: SignalReceived) -> None:
    state.received.receive(event)


@folds(RunSuspended)
def _run_suspended(state: RunState, event: RunSuspended) -> None:
    state.due = event.until
    for name in event.left:
        state.waits.pop(name, None)
        step = state.unfinished.get(name)
        if step is not None and step.status is StepStatus.WAITING:  # not one that was called since
            del state.unfinished[name]
    close_attempt(state, event.at, SUSPENDED)
