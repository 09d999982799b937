"""What the events of a run as a whole do to its state."""

from __future__ import annotations

from durably_cli.journal import gone
from durably_cli.journal.applying import folds
from durably_cli.journal.events import (
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunForked,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
    Unknown,
)
from durably_cli.journal.state import Attempt, RunState, Status


@folds(LogWritten)
def _log_written(state: RunState, event: LogWritten) -> None:
    state.log_lines += 1


@folds(ProgressReported)
def _progress_reported(state: RunState, event: ProgressReported) -> None:
    state.progress = event


@folds(RunForked)
def _run_forked(state: RunState, event: RunForked) -> None:
    state.origin, state.from_origin = event.origin, state.completed_steps
    if state.failures is not None:
        state.failures.carry_all()


@folds(RunStarted)
def _run_started(state: RunState, event: RunStarted) -> None:
    state.attempts.append(Attempt(event, state.completed_steps, state.spent.ms))
    state.spent.next_attempt()
    if state.status is Status.FAILED:  # somebody has mended something: all tries are open again
        state.unfinished = {name: step._replace(tries=0) for name, step in state.unfinished.items()}
    state.status = Status.RUNNING
    state.ended = state.due = None
    _forget_failure(state)
    if state.failures is not None:
        state.failures.next_attempt()


@folds(RunInterrupted)
def _run_interrupted(state: RunState, event: RunInterrupted) -> None:
    close_attempt(state, event.at, event.signal)


@folds(RunCompleted)
def _run_completed(state: RunState, event: RunCompleted) -> None:
    state.output = event.output
    gone.behind_run(state)
    _end(state, Status.COMPLETED, event.at)


@folds(RunCompletedLarge)
def _run_completed_large(state: RunState, event: RunCompletedLarge) -> None:
    state.output, state.has_large_output = event.output, True
    gone.behind_run(state)
    _end(state, Status.COMPLETED, event.at)


@folds(RunHasFailed)
def _run_failed(state: RunState, event: RunHasFailed) -> None:
    state.error = event.error
    state.causes = event.steps or ([] if event.step is None else [event.step])
    if state.failures is not None:
        state.failures.run_failed(state.causes)
    _end(state, Status.FAILED, event.at)


@folds(RunCancelled)
def _run_cancelled(state: RunState, event: RunCancelled) -> None:
    state.cancelled = event
    _end(state, Status.CANCELLED, event.at, is_in_attempt=event.attempt > 0)


@folds(RunRepaired)
def _run_repaired(state: RunState, event: RunRepaired) -> None:
    state.repaired.append(event)
    state.lose_end("cut off by a repair")


@folds(Unknown)
def _unknown(state: RunState, event: Unknown) -> None:
    state.unknown.append(event.type)


def _end(state: RunState, status: Status, at: str, *, is_in_attempt: bool = True) -> None:
    state.status, state.ended = status, at
    if status is not Status.FAILED:
        state.waits.clear()
    if status is not Status.FAILED:
        _forget_failure(state)
    if is_in_attempt:
        close_attempt(state, at, status)


def _forget_failure(state: RunState) -> None:
    state.error, state.causes = None, []


def close_attempt(state: RunState, at: str, outcome: str) -> None:
    """The last attempt has ended so."""
    if state.attempts:
        last = state.attempts[-1]
        last.last = last.ended = at
        last.outcome = outcome
