"""What is shown of a step of a run wherever one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durably_cli.engines.files_of_run import vouched_files
from durably_cli.engines.run_view import RunView
from durably_cli.journal.blobs import size_of
from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import DATABASE, ITEMS
from durably_cli.journal.step_names import scopes_of
from durably_cli.journal.step_state import StepState, StepStatus
from durably_cli.render.words import one_line

if TYPE_CHECKING:  # they are for type checkers, and for `help --json`
    from durably_cli.render.run_types import (
        ErrorFields,
        StatusOfStep,
        StepFields,
    )


def step_fields(step: StepState, view: RunView) -> StepFields:
    """One step, for --json."""
    return {
        "name": step.name,
        "status": step_status(step, view),
        "attempt": step.attempt,
        "started": step.started,
        "ms": step.ms,
        "bytes": None if step.result is None else size_of(step.result),
        "error": error_fields(step.error),
        "tries": step.tries,
        "next_try": None if view.state.has_ended else step.until,
        "files": [
            {"path": each.path, "bytes": each.size, "sha256": each.sha256, "change": each.change}
            for each in vouched_files(step, view)
        ],
    }


_STATUSES: dict[StepStatus, StatusOfStep] = {
    StepStatus.COMPLETED: "completed",
    StepStatus.WAITING: "waiting",
    StepStatus.FAILED: "failed",
    StepStatus.DISCARDED: "discarded",
    StepStatus.MARKED_DONE: "marked done",
}


def step_status(step: StepState, view: RunView) -> StatusOfStep:
    """What is known of the step."""
    if step.status is StepStatus.RETRYING:
        return "failed" if view.state.has_ended or step.is_gone else "retrying"
    if step.status is StepStatus.CANCELLED:
        goes_on_or_is_done = view.held or view.state.status is Status.COMPLETED
        return "cancelled" if goes_on_or_is_done else _without_end(step, view.state)
    if step.status is not StepStatus.STARTED:
        return _STATUSES[step.status]
    is_latest = step.attempt == len(view.state.attempts)
    if view.held and is_latest and not view.state.has_ended:
        return "running"
    return _without_end(step, view.state)


def _without_end(step: StepState, state: RunState) -> StatusOfStep:
    is_map = step.when_in_doubt == ITEMS
    if is_map and state.is_waiting and any(step.name in scopes_of(name) for name in state.waits):
        return "waiting"
    return "cut short" if step.when_in_doubt in (DATABASE, ITEMS) else "in doubt"


def in_doubt(view: RunView) -> list[StepState]:
    """The steps of which nobody can say whether their effect happened."""
    return [step for step in view.state.in_doubt if step_status(step, view) == "in doubt"]


def cut_short(view: RunView) -> list[StepState]:
    """The transactions that were begun and have no end: their databases know."""
    return [step for step in view.state.cut_short if step_status(step, view) == "cut short"]


def failed_steps(view: RunView) -> list[StepState]:
    """Those whose last word is a failure: no map, for its items are, and none that is gone."""
    state = view.state
    steps = (step for step in state.unfinished.values() if step.name not in state.maps)
    return [step for step in steps if step_status(step, view) == "failed" and not step.is_gone]


def retrying(view: RunView) -> list[StepState]:
    """The steps that have failed, and are tried again after a pause."""
    if view.state.has_ended:
        return []
    steps = view.state.unfinished.values()
    return [step for step in steps if step.status is StepStatus.RETRYING and not step.is_gone]


def last_try(step: StepState) -> str:
    """What came of the last try of such a step."""
    why = f" ({one_line(step.error)})" if step.error else ""
    return f"try {step.tries} of {step.most} failed{why}"


def error_fields(error: ErrorInfo | None) -> ErrorFields | None:
    """An exception, for --json."""
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "traceback": error.traceback}
