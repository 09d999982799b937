"""What makes sense to type next, of a run as it stands: for programs all of it, for people one."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.local.view import RunView
from durably_cli.journal.state import Status
from durably_cli.system.ids import short


class NextStep(NamedTuple):
    """What a command is typed for, and its words behind `durably`."""

    purpose: str
    words: tuple[str, ...]


def next_step(view: RunView) -> NextStep | None:
    """The one for people, who look at the run already; None if there is nothing left to do."""
    return next((each for each in _next_steps(view) if each.purpose), None)


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
    return [NextStep("to go on", ("resume", run)), *look]
