"""What is shown of a run wherever one is shown: the columns of a pipe, and the fields of --json."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.errors import JournalDamaged
from durably_cli.journal.blobs import BlobDamaged
from durably_cli.journal.events import ProgressReported, RunRepaired
from durably_cli.journal.state import Attempt, Status
from durably_cli.journal.step_events import StepDiscarded, StepMarkedDone
from durably_cli.render.reason import reason, waits_for
from durably_cli.render.step_record import error_fields, failed_steps, in_doubt
from durably_cli.render.timeline import seconds_between, seconds_of
from durably_cli.system import clock, ids

if TYPE_CHECKING:  # they are for type checkers, and for `help --json`
    from durably_cli.render.run_types import (
        AttemptFields,
        ChildFields,
        DamageFields,
        Decided,
        DecisionFields,
        ProgressFields,
        RepairedFields,
        RunDetails,
        RunSummary,
        WaitFields,
    )

SCHEMA = 1

COLUMNS = (
    *("id", "job", "status", "created", "ended", "seconds", "steps", "reason", "labels"),
    *("steps_failed", "origin"),
)
"""The columns of a run in a pipe: fixed, and only ever appended to."""


def summary(run: RunView | Unreadable) -> RunSummary:
    """The columns of a run by name; None where there is nothing to say.

    `seconds` is the time spent in its attempts so far; `steps` how many have completed and
    `steps_failed` have failed, of which a map is none, for its items are; `reason` why it failed,
    cannot be read, or where it stopped; `origin` the run that it is a fork of.
    """
    if isinstance(run, Unreadable):
        return {
            "id": run.run_id,
            "job": None,
            "status": run.status,
            "created": clock.format_time(ids.made_at(run.run_id)),
            "ended": None,
            "seconds": None,
            "steps": None,
            "reason": run.error.what,
            "labels": {},
            "steps_failed": None,
            "origin": None,
            "parent": None,
            "progress": None,
            "undecided": [],
            "due": None,
        }
    state = run.state
    return {
        "id": run.run_id,
        "job": state.created.job,
        "status": run.status,
        "created": state.created.at,
        "ended": state.ended,
        "seconds": seconds_executing(run),
        "steps": state.completed_steps,
        "reason": reason(run),
        "labels": state.created.labels,
        "steps_failed": len(failed_steps(run)),
        "origin": state.origin,
        "parent": state.created.parent or None,
        "progress": progress_fields(state.progress),
        "undecided": [] if run.goes_on else [step.name for step in state.undecided],
        "due": _due(run),
    }


def details(view: RunView) -> RunDetails:
    """Everything of a run but its steps and its logs, which may be many."""
    state, created, output = view.state, view.state.created, view.output()
    return {
        **summary(view),
        "input": json.loads(view.input()),
        "output": None if output is None else json.loads(output),
        "error": error_fields(state.error),
        "failed_step": state.causes[0] if state.causes else None,
        "causes": state.causes,
        "carried": [] if state.is_final else state.carried,
        "in_doubt": [step.name for step in in_doubt(view)],
        "decisions": [decision_fields(event, view) for event in state.decisions],
        "forks": view.forks(),
        "children": _children(view),
        "idempotency_key": created.idempotency_key,
        "concurrency_key": created.concurrency_key,
        "waits_for": waits_for(view),
        "waits": _waits(view),
        "project": created.project,
        "folder": created.folder or None,
        "attempts": [attempt_fields(number, each) for number, each in enumerate(state.attempts, 1)],
        "torn_bytes": view.torn_bytes,
        "damage": damage_fields(view.damage),
        "repaired": [repaired_fields(event) for event in state.repaired],
        "unknown_events": state.unknown,
        "imported": view.imported,
        "journal": view.where,
    }


def _due(view: RunView) -> str | None:
    if not view.state.waits:
        return None
    from durably_cli.render.waits import when_due

    return when_due(view)


def _waits(view: RunView) -> list[WaitFields]:
    if not view.state.waits:
        return []
    from durably_cli.render.waits import wait_fields

    return wait_fields(view)


def _children(view: RunView) -> list[ChildFields]:
    if not view.state.children:
        return []
    from durably_cli.render.family import child_fields

    return child_fields(view)


def attempt_fields(number: int, attempt: Attempt) -> AttemptFields:
    """One attempt, for --json."""
    started = attempt.started
    return {
        "attempt": number,
        "started": started.at,
        "ended": attempt.ended,
        "outcome": attempt.outcome,
        "pid": started.pid,
        "host": started.host,
        "versions": started.versions,
        "source": started.source,
        "dropped_bytes": started.dropped,
        "kept": started.kept,
        "folder": started.folder or None,
    }


def decision_fields(event: StepDiscarded | StepMarkedDone, view: RunView) -> DecisionFields:
    """What somebody has decided of a step, for --json."""
    decision: Decided = "redo" if isinstance(event, StepDiscarded) else "done"
    result = None
    if isinstance(event, StepMarkedDone):
        with suppress(BlobDamaged):  # which a redo or another --done mends
            result = json.loads(view.result(event.result))
    return {
        "step": event.name,
        "decision": decision,
        "by": event.by,
        "at": event.at,
        "result": result,
    }


def repaired_fields(event: RunRepaired) -> RepairedFields:
    """What was cut off, for --json."""
    return {
        "by": event.by,
        "host": event.host,
        "line": event.line,
        "byte": event.byte,
        "reason": event.reason,
        "lines": event.lines,
        "bytes": event.bytes,
        "kept": event.kept,
        "at": event.at,
    }


def damage_fields(damage: JournalDamaged | None) -> DamageFields | None:
    """Where a journal is damaged, for --json."""
    if damage is None:
        return None
    return {"line": damage.line, "byte": damage.byte, "reason": damage.reason}


def progress_fields(progress: ProgressReported | None) -> ProgressFields | None:
    """What the latest attempt said last of how far it has come, for --json."""
    if progress is None:
        return None
    return {
        "current": progress.current,
        "total": progress.total,
        "message": progress.message,
        "at": progress.at,
    }


def for_good(view: RunView) -> str:
    """What is left to do of a run that was cancelled."""
    key = ", with another idempotency key" if view.state.created.idempotency_key else ""
    return f"it has ended for good; to do it after all, trigger a new run{key}"


def seconds_executing(view: RunView) -> float | None:
    """How long its attempts took, the one that a process is at included; None before the first.

    An attempt that left no word of its end counts up to its last word.
    """
    attempts = view.state.attempts
    if not attempts:
        return None
    seconds = sum(seconds_of(attempt) for attempt in attempts)
    if view.status is Status.RUNNING:
        seconds += seconds_between(attempts[-1].last, clock.now())
    return round(seconds, 3)
