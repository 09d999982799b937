"""What the events of steps do to the state of their run."""

from __future__ import annotations

from durably_cli.journal import gone
from durably_cli.journal.applying import folds
from durably_cli.journal.carried import Failures
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import (
    ITEMS,
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import map_of
from durably_cli.journal.step_state import StepState, StepStatus

_STARTED = StepStatus.STARTED  # to look it up takes 0.1 us


@folds(StepStarted)
def _step_started(state: RunState, event: StepStarted) -> None:
    name, at = event.name, event.at
    step = StepState(name, _STARTED, len(state.attempts), at, 1, at)
    if state.unfinished:
        last = state.unfinished.get(name)
        if last is not None and last.tries:
            step = step._replace(tries=last.tries + 1, since=last.since, most=last.most)
    if event.in_doubt:
        step = step._replace(when_in_doubt=event.in_doubt)
    state.unfinished[name] = step
    if state.waits:
        state.waits.pop(name, None)
    state.spent.started(name)
    if name in state.maps:
        state.maps.remove(name)
    if state.failures is not None:
        state.failures.started(event)


@folds(MapStarted)
def _map_started(state: RunState, event: MapStarted) -> None:
    at = len(state.attempts), event.at
    state.maps.add(event.name)
    state.unfinished[event.name] = StepState(
        event.name, StepStatus.STARTED, *at, 1, event.at, when_in_doubt=ITEMS
    )
    if state.failures is not None:
        state.failures.started(event)


@folds(StepEntered)
def _step_entered(state: RunState, event: StepEntered) -> None:
    started = state.unfinished.get(event.name)
    if started is not None and started.when_in_doubt != ITEMS:
        state.unfinished[event.name] = started._replace(
            when_in_doubt=event.in_doubt, gives=event.gives
        )


@folds(StepCompleted)
def _step_completed(state: RunState, event: StepCompleted) -> None:
    state.unfinished.pop(event.name, None)
    if state.waits and (wait := state.end_wait(event.name)) is not None:
        state.completed_steps += 1  # and no time that a replay saves
        state.open_children.discard(wait.child)
    elif state.maps and event.name in state.maps:
        gone.behind_map(state, event)
    else:
        state.completed_steps += 1
        state.spent.completed(event.name, event.ms, event.at)
    if state.failures is not None:
        state.failures.completed(event.name)


@folds(StepFailed)
def _step_failed(state: RunState, event: StepFailed) -> None:
    start = state.unfinished.get(event.name) or _never_started(event)
    state.unfinished[event.name] = start._replace(
        status=StepStatus.FAILED, ms=event.ms, error=event.error, most=event.tries
    )
    state.spent.ended(event.name)
    state.end_wait(event.name)
    if (of := map_of(event.name)) is not None:
        state.maps_with_failures.add(of)
    state.failures = state.failures or Failures()
    state.failures.failed(event)


@folds(StepCancelled)
def _step_cancelled(state: RunState, event: StepCancelled) -> None:
    start = state.unfinished.get(event.name)
    state.waits.pop(event.name, None)
    if start is not None and start.status in (StepStatus.STARTED, StepStatus.WAITING):
        state.unfinished[event.name] = start._replace(status=StepStatus.CANCELLED, ms=event.ms)
    state.spent.ended(event.name)


@folds(StepRetrying)
def _step_retrying(state: RunState, event: StepRetrying) -> None:
    start = state.unfinished.get(event.name) or _never_started(event)
    state.unfinished[event.name] = start._replace(
        status=StepStatus.RETRYING,
        ms=event.ms,
        error=event.error,
        tries=event.tries,
        most=event.of,
        until=event.until,
    )


def _never_started(event: StepFailed | StepRetrying | StepMarkedDone) -> StepState:
    """Of a step whose start is not in the journal."""
    return StepState(event.name, StepStatus.STARTED, 0, event.at)


@folds(StepMarkedDone)
def _step_marked_done(state: RunState, event: StepMarkedDone) -> None:
    start = state.unfinished.get(event.name) or _never_started(event)
    state.unfinished[event.name] = start._replace(status=StepStatus.MARKED_DONE)
    state.end_wait(event.name)
    state.decisions.append(event)
    if state.failures is not None:
        state.failures.discarded(event.name)


@folds(StepDiscarded)
@folds(StepOutdated)
def _step_discarded(state: RunState, event: StepDiscarded | StepOutdated) -> None:
    if isinstance(event, StepDiscarded) and event.by:
        state.decisions.append(event)
    last = state.unfinished.get(event.name)
    if last is None and (isinstance(event, StepOutdated) or event.sha256):  # it had a result
        state.discarded[event.name] += 1
        if event.name not in state.maps:
            _count_no_more(state, event)
    state.waits.pop(event.name, None)
    state.received.discard(event.name)
    last = last or StepState(event.name, StepStatus.DISCARDED, 0, event.at, ms=event.ms)
    state.unfinished[event.name] = last._replace(status=StepStatus.DISCARDED, tries=0)
    if state.failures is not None:
        state.failures.discarded(event.name)


def _count_no_more(state: RunState, event: StepDiscarded | StepOutdated) -> None:
    state.completed_steps -= 1
    before = state.spent.ms
    state.spent.discarded(event.ms)
    if state.attempts:
        state.attempts[-1].before -= 1
        state.attempts[-1].ms_before -= before - state.spent.ms
    elif state.origin:
        state.from_origin -= 1
