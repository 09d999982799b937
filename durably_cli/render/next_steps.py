"""What makes sense to type next, of a run as it stands."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli.engines.local.view import RunView
from durably_cli.journal.state import Status
from durably_cli.system.ids import short


class NextStep(NamedTuple):
    """What a command is typed for, and its words behind `durably`."""

    purpose: str
    words: tuple[str, ...]


def next_step(view: RunView) -> NextStep | None:
    """The command; None if there is nothing left to do for this run."""
    run = short(view.run_id)
    if view.damage or view.status is Status.DAMAGED:
        return NextStep("to mend", ("help", "care"))
    if view.status in (Status.FAILED, Status.INTERRUPTED):
        return NextStep("to go on", ("resume", run))
    if view.status in (Status.RUNNING, Status.PENDING):
        return NextStep("to watch", ("inspect", run, "--follow"))
    return None
