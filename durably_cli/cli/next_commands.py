"""What makes sense to type next of a run that is as it is now."""

from __future__ import annotations

from durably_cli import hints
from durably_cli.engines.local.view import RunView
from durably_cli.journal.state import Status
from durably_cli.system.ids import short


def next_of(view: RunView) -> list[str]:
    """What makes sense to type of a run that is as it is now, for programs."""
    run = short(view.run_id)
    if view.damage or view.status is Status.UNREADABLE:
        return [hints.command("verify", run), hints.command("help", "care")]
    if view.held:
        watch = (("wait", run), ("inspect", run, "--follow"), ("logs", run, "--follow"))
        return [hints.command(*words) for words in watch]
    look = [hints.command("inspect", run), hints.command("logs", run)]
    return look if view.state.is_final else [hints.command("resume", run), *look]
