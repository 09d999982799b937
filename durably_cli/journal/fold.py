"""The fold: events in, the state of the run out. Pure; it knows no file, no clock and no lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from durably_cli.journal import gone
from durably_cli.journal.carried import Failures
from durably_cli.journal.events import (
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunForked,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
    Unknown,
)
from durably_cli.journal.registry import OF_NO_ATTEMPT, Event
from durably_cli.journal.state import Attempt, RunState, Status
from durably_cli.journal.step_events import (
    ITEMS,
    MapStarted,
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


class NotARun(ValueError):
    """The events do not begin with a run.created."""


def fold(events: Iterable[Event]) -> RunState:
    """The state that a journal's events, or any first part of them, add up to.

    NotARun if the first one is not a run.created.
    """
    iterator = iter(events)
    first = next(iterator, None)
    if not isinstance(first, RunCreated):
        raise NotARun("the first event is not a run.created")
    return fold_on(RunState(first), iterator)


def fold_on(state: RunState, events: Iterable[Event]) -> RunState:
    """The state with these events added to it."""
    attempts = state.attempts
    for event in events:
        kind = type(event)
        if attempts and kind not in OF_NO_ATTEMPT:
            attempts[-1].last = event.at
        apply = _APPLY.get(kind)
        if apply is not None:
            apply(state, event)
    return state


_STARTED = StepStatus.STARTED  # to look it up takes 0.1 us

Apply = Callable[[RunState, Any], None]
_APPLY: dict[type[Event], Apply] = {}
"""What an event does to the state; a second RunCreated does nothing."""


def _folds(kind: type[Event]) -> Callable[[Apply], Apply]:
    def register(apply: Apply) -> Apply:
        _APPLY[kind] = apply
        return apply

    return register


@_folds(StepStarted)
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
    state.spent.started(name)
    if name in state.maps:
        state.maps.remove(name)
    if state.failures is not None:
        state.failures.started(event)


@_folds(MapStarted)
def _map_started(state: RunState, event: MapStarted) -> None:
    at = len(state.attempts), event.at
    state.maps.add(event.name)
    state.unfinished[event.name] = StepState(
        event.name, StepStatus.STARTED, *at, 1, event.at, when_in_doubt=ITEMS
    )
    if state.failures is not None:
        state.failures.started(event)


@_folds(StepEntered)
def _step_entered(state: RunState, event: StepEntered) -> None:
    started = state.unfinished.get(event.name)
    if started is not None and started.when_in_doubt != ITEMS:
        state.unfinished[event.name] = started._replace(
            when_in_doubt=event.in_doubt, gives=event.gives
        )


@_folds(StepCompleted)
def _step_completed(state: RunState, event: StepCompleted) -> None:
    state.unfinished.pop(event.name, None)
    if state.maps and event.name in state.maps:
        gone.behind_map(state, event)
    else:
        state.completed_steps += 1
        state.spent.completed(event.name, event.ms, event.at)
    if state.failures is not None:
        state.failures.completed(event.name)


@_folds(StepFailed)
def _step_failed(state: RunState, event: StepFailed) -> None:
    start = state.unfinished.get(event.name) or _never_started(event)
    state.unfinished[event.name] = start._replace(
        status=StepStatus.FAILED, ms=event.ms, error=event.error, most=event.tries
    )
    state.spent.ended(event.name)
    if (of := map_of(event.name)) is not None:
        state.maps_with_failures.add(of)
    state.failures = state.failures or Failures()
    state.failures.failed(event)


@_folds(StepRetrying)
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


@_folds(StepMarkedDone)
def _step_marked_done(state: RunState, event: StepMarkedDone) -> None:
    start = state.unfinished.get(event.name) or _never_started(event)
    state.unfinished[event.name] = start._replace(status=StepStatus.MARKED_DONE)
    state.decisions.append(event)
    if state.failures is not None:
        state.failures.discarded(event.name)


@_folds(StepDiscarded)
@_folds(StepOutdated)
def _step_discarded(state: RunState, event: StepDiscarded | StepOutdated) -> None:
    if isinstance(event, StepDiscarded) and event.by:
        state.decisions.append(event)
    last = state.unfinished.get(event.name)
    if last is None and (isinstance(event, StepOutdated) or event.sha256):  # it had a result
        state.discarded[event.name] += 1
        if event.name not in state.maps:
            _count_no_more(state, event)
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


@_folds(LogWritten)
def _log_written(state: RunState, event: LogWritten) -> None:
    state.log_lines += 1


@_folds(ProgressReported)
def _progress_reported(state: RunState, event: ProgressReported) -> None:
    state.progress = event


@_folds(RunForked)
def _run_forked(state: RunState, event: RunForked) -> None:
    state.origin, state.from_origin = event.origin, state.completed_steps
    if state.failures is not None:
        state.failures.carry_all()


@_folds(RunStarted)
def _run_started(state: RunState, event: RunStarted) -> None:
    state.attempts.append(Attempt(event, state.completed_steps, state.spent.ms))
    state.spent.next_attempt()
    if state.status is Status.FAILED:  # somebody has mended something: all tries are open again
        state.unfinished = {name: step._replace(tries=0) for name, step in state.unfinished.items()}
    state.status = Status.RUNNING
    state.ended = None
    _forget_failure(state)
    if state.failures is not None:
        state.failures.next_attempt()


@_folds(RunInterrupted)
def _run_interrupted(state: RunState, event: RunInterrupted) -> None:
    _close_attempt(state, event.at, event.signal)


@_folds(RunCompleted)
def _run_completed(state: RunState, event: RunCompleted) -> None:
    state.output = event.output
    gone.behind_run(state)
    _end(state, Status.COMPLETED, event.at)


@_folds(RunCompletedLarge)
def _run_completed_large(state: RunState, event: RunCompletedLarge) -> None:
    state.output, state.has_large_output = event.output, True
    gone.behind_run(state)
    _end(state, Status.COMPLETED, event.at)


@_folds(RunHasFailed)
def _run_failed(state: RunState, event: RunHasFailed) -> None:
    state.error = event.error
    state.causes = event.steps or ([] if event.step is None else [event.step])
    if state.failures is not None:
        state.failures.run_failed(state.causes)
    _end(state, Status.FAILED, event.at)


@_folds(RunCancelled)
def _run_cancelled(state: RunState, event: RunCancelled) -> None:
    state.cancelled = event
    _end(state, Status.CANCELLED, event.at, is_in_attempt=event.attempt > 0)


@_folds(RunRepaired)
def _run_repaired(state: RunState, event: RunRepaired) -> None:
    state.repaired.append(event)
    state.lose_end("cut off by a repair")


@_folds(Unknown)
def _unknown(state: RunState, event: Unknown) -> None:
    state.unknown.append(event.type)


def _end(state: RunState, status: Status, at: str, *, is_in_attempt: bool = True) -> None:
    state.status, state.ended = status, at
    if status is not Status.FAILED:
        _forget_failure(state)
    if is_in_attempt:
        _close_attempt(state, at, status)


def _forget_failure(state: RunState) -> None:
    state.error, state.causes = None, []


def _close_attempt(state: RunState, at: str, outcome: str) -> None:
    if state.attempts:
        last = state.attempts[-1]
        last.last = last.ended = at
        last.outcome = outcome
