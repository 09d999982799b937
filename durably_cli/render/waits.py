"""What is shown of a run that waits: until when, or which question is open, and what answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably_cli.engines.local.due import due_at
from durably_cli.engines.local.view import RunView
from durably_cli.journal.wait_events import RUN, SIGNAL, StepWaiting
from durably_cli.render.words import utc_time
from durably_cli.system import ids

if TYPE_CHECKING:
    from durably_cli.render.run_types import WaitFields

FEW = 3
"""Of so many waits it is said what they are for, and what answers."""

ShowTime = Callable[[str], str]
"""Shows a time: in UTC, or as a person reads it."""


def open_waits(view: RunView) -> list[StepWaiting]:
    """What its steps wait for, questions first."""
    if view.state.has_ended:
        return []
    return sorted(view.state.waits.values(), key=lambda wait: wait.kind != SIGNAL)


def open_questions(view: RunView) -> list[tuple[str, StepWaiting]]:
    """The signals that are waited for, by this run and by runs that are a step of it."""
    found = [(view.run_id, wait) for wait in open_waits(view) if wait.kind == SIGNAL]
    if any(wait.kind == RUN for wait in open_waits(view)):
        from durably_cli.engines.local.family import children_of  # few runs have any

        for child in children_of(view, open_only=True):
            if isinstance(child.view, RunView):
                found += [
                    (child.run_id, wait) for wait in open_waits(child.view) if wait.kind == SIGNAL
                ]
    return found


def is_question(wait: StepWaiting) -> bool:
    """Is it answered by yes or no?"""
    return wait.takes.get("title") == "Approval" or wait.takes.get("type") == "boolean"


def said_of(wait: StepWaiting, time: ShowTime = utc_time) -> str:
    """`Apply the plan? (approval, until 2026-…)`, on one line."""
    until = f", until {time(wait.until)}" if wait.until else ""
    if wait.kind == SIGNAL and wait.prompt:
        return f"{wait.prompt} ({wait.name}{until})"
    if wait.kind == SIGNAL:
        return f"{wait.name} waits for a signal{until}"
    if wait.kind == RUN:
        return f"{wait.name} waits for run {ids.short(wait.child)}{until}"
    what = "sleeps" if wait.kind == "sleep" else "looks again and again"
    return f"{wait.name} {what}{until}"


def what_it_waits_for(view: RunView, time: ShowTime = utc_time) -> list[str]:
    """The first few waits, and how many more there are."""
    waits = open_waits(view)
    more = len(waits) - FEW
    return [*(said_of(wait, time) for wait in waits[:FEW]), *([f"{more:,} more"] * (more > 0))]


def why_it_waits(view: RunView, time: ShowTime = utc_time) -> str:
    """The same on one line."""
    return "; ".join(what_it_waits_for(view, time))


def wait_fields(view: RunView) -> list[WaitFields]:
    """The same for --json."""
    return [
        {
            "step": wait.name,
            "kind": wait.kind,
            "since": wait.at,
            "until": wait.until or None,
            "prompt": wait.prompt or None,
            "run": wait.child or None,
            "takes": wait.takes or None,
        }
        for wait in open_waits(view)
    ]


def when_due(view: RunView) -> str | None:
    """When it is to go on, in UTC; None if not before a signal comes, or if it does not wait."""
    return due_at(view) if open_waits(view) else None


def answers_to(wait: StepWaiting, run: str, *, is_only_one: bool = True) -> list[tuple[str, ...]]:
    """The commands that answer it, as words behind `durably`."""
    name = () if is_only_one else (wait.name,)
    if is_question(wait):
        return [("approve", run, *name), ("deny", run, *name)]
    return [("signal", run, wait.name, "-i", _example_of(wait.takes))]


def _example_of(schema: dict[str, Any]) -> str:
    """A value of such a signal, to be typed, as far as its schema says."""
    kind = schema.get("type")
    samples = {"integer": "1", "number": "1.5", "string": '"text"', "boolean": "true"}
    if isinstance(kind, str) and kind in samples:
        return samples[kind]
    return "JSON"
