"""How a run ended that no process executes any more: for programs, and for who waited for it."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.engines.local.view import RunView
from durably_cli.error_codes import ErrorCode
from durably_cli.errors import Busy
from durably_cli.journal.state import Status
from durably_cli.render.next_steps import how_to_answer, how_to_go_on
from durably_cli.render.reason import reason
from durably_cli.render.record import for_good
from durably_cli.system.ids import short


class End(NamedTuple):
    """How a run ended, not well, or did not: the exit code, its name, what to say and to type.

    One that waits for a decision about a step goes on by no command that says nothing of it.
    """

    exit: int
    code: ErrorCode
    message: str
    hint: str | None
    waits_for_a_person: bool = False

    def note(self, run_id: str) -> int:
        """Say so in the document of a program; the exit code."""
        document.about(run_id)
        document.fail(
            self.code,
            self.exit,
            self.message,
            self.hint,
            waits_for_a_person=self.waits_for_a_person,
        )
        return self.exit


def end_of(view: RunView) -> End | None:
    """How a run ended that no process executes; None if it completed."""
    name, go_on = f"run {short(view.run_id)}", how_to_go_on(view)
    why = f": {found}" if (found := reason(view)) else ""
    if view.status is Status.COMPLETED:
        return None
    if view.status is Status.CANCELLED:
        by = f" {found}" if found else ""
        said = f"{name} was cancelled{by}\n{for_good(view)}"
        return End(3, "run-cancelled", said, None)
    if view.status is Status.FAILED:
        once = how_to_go_on(view, "goes on where it was, once that is mended")
        return End(1, "run-failed", f"{name} failed{why}", once)
    if view.status is Status.WAITING:
        return End(Busy.exit_code, "waiting", f"{name} waits{why}", how_to_answer(view) or go_on)
    message = f"{name} was interrupted, and no process goes on with it{why}"
    if view.cancel_request():
        go_on = hints.command("cancel", short(view.run_id))
    return End(Busy.exit_code, "interrupted", message, go_on, bool(view.state.undecided))
