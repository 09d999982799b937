"""What a run is: a fold of its events. Pure; it knows no file, no clock and no lock.

The state holds what is unfinished step by step and the rest as counts, so that a journal of a
million events folds in the memory of a small one. `step_state` walks the events again for the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from durably_cli.journal.carried import Failures
from durably_cli.journal.events import (
    OF_NO_ATTEMPT,
    ErrorInfo,
    Event,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepStarted,
    Unknown,
)
from durably_cli.journal.step_state import StepState, StepStatus
from durably_cli.values.strict_json import Json


class Status(StrEnum):
    """Where a run stands. The last three are never journalled: they take a look at the file."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


NO_END = "no end recorded"
"""What came of an attempt that was killed, or crashed with its machine."""


class Attempt:
    """One process's try: when it last left word, and `ended`, unless that was not its end."""

    __slots__ = ("ended", "last", "outcome", "started")

    def __init__(self, started: RunStarted) -> None:
        self.started = started
        self.last = started.at
        self.ended: str | None = None
        self.outcome = NO_END


class RunState:
    """The run as its journal tells it; only `fold` makes one.

    Of a large output it has the reference, and that it is one.
    """

    def __init__(self, created: RunCreated) -> None:
        self.created = created
        self.has_large_output = False
        self.status = Status.PENDING
        self.attempts: list[Attempt] = []
        self.unfinished: dict[str, StepState] = {}
        self.failures: Failures | None = None
        self.completed_steps = 0
        self.completed_ms = 0
        self.log_lines = 0
        self.progress: ProgressReported | None = None
        self.output: Json | None = None
        self.error: ErrorInfo | None = None
        self.causes: list[str] = []
        self.ended: str | None = None
        self.repaired: list[RunRepaired] = []
        self.unknown: list[str] = []

    def copy(self) -> RunState:
        """The same, to be folded on without a change of this one."""
        copied = copy.copy(self)
        copied.attempts = [copy.copy(attempt) for attempt in self.attempts]
        copied.unfinished = {**self.unfinished}
        copied.failures = copy.deepcopy(self.failures)
        copied.repaired, copied.unknown = [*self.repaired], [*self.unknown]
        return copied

    @property
    def is_final(self) -> bool:
        """Has it ended for good, so that nothing may be added?"""
        return self.status in (Status.COMPLETED, Status.CANCELLED)

    @property
    def has_ended(self) -> bool:
        """Has it ended, for good or by failing?"""
        return self.is_final or self.status is Status.FAILED

    def lose_end(self, why: str) -> None:
        """The journal says nothing of how the last attempt ended, because of this."""
        if self.attempts and self.attempts[-1].ended is None:
            self.attempts[-1].outcome = why

    @property
    def in_doubt(self) -> list[StepState]:
        """Steps that were started and have no result: their effect may or may not have happened."""
        return [step for step in self.unfinished.values() if step.status is StepStatus.STARTED]

    @property
    def carried(self) -> list[str]:
        """Steps whose failures the next attempt replays: see `carried`."""
        return self.failures.carried if self.failures else []

    @property
    def failed_steps(self) -> list[StepState]:
        """Steps whose last word is a failure."""
        return [step for step in self.unfinished.values() if step.status is StepStatus.FAILED]


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
    for event in events:
        kind = type(event)
        if state.attempts and kind not in OF_NO_ATTEMPT:
            state.attempts[-1].last = event.at
        apply = _APPLY.get(kind)
        if apply is not None:
            apply(state, event)
    return state


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
    attempt = len(state.attempts)
    state.unfinished[event.name] = StepState(event.name, StepStatus.STARTED, attempt, event.at)
    if state.failures is not None:
        state.failures.started(event)


@_folds(StepCompleted)
def _step_completed(state: RunState, event: StepCompleted) -> None:
    state.unfinished.pop(event.name, None)
    state.completed_steps += 1
    state.completed_ms += event.ms
    if state.failures is not None:
        state.failures.completed(event.name)


@_folds(StepFailed)
def _step_failed(state: RunState, event: StepFailed) -> None:
    start = state.unfinished.get(event.name)
    attempt, started = (start.attempt, start.started) if start else (0, event.at)
    state.unfinished[event.name] = StepState(
        event.name, StepStatus.FAILED, attempt, started, ms=event.ms, error=event.error
    )
    state.failures = state.failures or Failures()
    state.failures.failed(event)


@_folds(StepDiscarded)
def _step_discarded(state: RunState, event: StepDiscarded) -> None:
    if state.failures is not None:
        state.failures.discarded(event.name)


@_folds(LogWritten)
def _log_written(state: RunState, event: LogWritten) -> None:
    state.log_lines += 1


@_folds(ProgressReported)
def _progress_reported(state: RunState, event: ProgressReported) -> None:
    state.progress = event


@_folds(RunStarted)
def _run_started(state: RunState, event: RunStarted) -> None:
    state.attempts.append(Attempt(event))
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
    _end(state, Status.COMPLETED, event.at)


@_folds(RunCompletedLarge)
def _run_completed_large(state: RunState, event: RunCompletedLarge) -> None:
    state.output, state.has_large_output = event.output, True
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
    _end(state, Status.CANCELLED, event.at)


@_folds(RunRepaired)
def _run_repaired(state: RunState, event: RunRepaired) -> None:
    state.repaired.append(event)
    state.lose_end("cut off by a repair")


@_folds(Unknown)
def _unknown(state: RunState, event: Unknown) -> None:
    state.unknown.append(event.type)


def _end(state: RunState, status: Status, at: str) -> None:
    state.status, state.ended = status, at
    if status is not Status.FAILED:
        _forget_failure(state)
    _close_attempt(state, at, status)


def _forget_failure(state: RunState) -> None:
    state.error, state.causes = None, []


def _close_attempt(state: RunState, at: str, outcome: str) -> None:
    if state.attempts:
        state.attempts[-1].ended, state.attempts[-1].outcome = at, outcome
