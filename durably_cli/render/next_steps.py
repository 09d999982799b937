"""What makes sense to type next, of a run as it stands: for programs all of it, for people one."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.local.view import RunView
from durably_cli.journal.blobs import is_blob_reference
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.step_state import StepStatus
from durably_cli.system.ids import short

_SHORT = 200
"""How many characters of a result are handed out to be typed again."""


class NextStep(NamedTuple):
    """What a command is typed for, and its words behind `durably`."""

    purpose: str
    words: tuple[str, ...]


def next_steps(view: RunView) -> list[NextStep]:
    """Those for people, who look at the run already; none if there is nothing left to do."""
    return [each for each in _next_steps(view) if each.purpose]


def how_to_decide(view: RunView) -> list[NextStep]:
    """What to type of a step that nobody but a person can decide; nothing if there is none.

    Of one whose result cannot be replayed, to mend that is the other way.
    """
    run, state = short(view.run_id), view.state
    for step in state.undecided[:1]:
        again = ("resume", run, "--redo", step.name)
        if step.status is StepStatus.DISCARDED:
            before = ("--done", step.name, "--result", _gave_before(view, step.name))
            return [
                NextStep("to let its result stand", ("resume", run, *before)),
                NextStep("to execute it again", again),
            ]
        result = ("--result", "JSON") if step.gives else ()
        done = f"if it was done{', and JSON is what it gave' if step.gives else ''}"
        return [
            NextStep(done, ("resume", run, "--done", step.name, *result)),
            NextStep("if it was not", again),
        ]
    if state.causes and state.causes[0] not in state.unfinished:
        again = ("resume", run, "--redo", state.causes[0])
        return [
            NextStep("once that is mended", ("resume", run)),
            NextStep("to execute it again", again),
        ]
    return []


def _gave_before(view: RunView, name: str) -> str:
    """The last result of a step, which was discarded, as it can be typed."""
    given = "JSON"
    for event in view.events():
        if isinstance(event, StepCompleted) and event.name == name:
            is_short = len(event.result) <= _SHORT and not is_blob_reference(event.result)
            given = event.result if is_short else "JSON"
    return given


def how_to_go_on(view: RunView, why: str = "") -> str:
    """The commands of those, as a hint; of other runs the one that resumes it, and `why`."""
    steps = [] if view.held else how_to_decide(view)
    if not steps:
        return hints.command("resume", short(view.run_id)) + (f"    ({why})" if why else "")
    return "\n".join(f"{hints.command(*each.words)}    ({each.purpose})" for each in steps)


def next_commands(view: RunView) -> list[str]:
    """All of them, as they can be pasted."""
    return [hints.command(*each.words) for each in _next_steps(view)]


def _next_steps(view: RunView) -> list[NextStep]:
    """Those without a purpose are for programs only."""
    run = short(view.run_id)
    if view.damage or view.status is Status.UNREADABLE:
        return [NextStep("", ("verify", run)), NextStep("to mend", ("help", "care"))]
    look = [NextStep("", ("inspect", run)), NextStep("", ("logs", run))]
    if view.held:
        follow = NextStep("to watch", ("inspect", run, "--follow"))
        return [NextStep("", ("wait", run)), follow, NextStep("", ("logs", run, "--follow"))]
    if view.state.is_final:
        return look
    if view.cancel_request():
        return [NextStep("to end it", ("cancel", run)), *look]
    return [*(how_to_decide(view) or [NextStep("to go on", ("resume", run))]), *look]
