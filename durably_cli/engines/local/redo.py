"""Which steps may be executed again because somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from durably_cli import hints
from durably_cli.errors import NotFound, UsageError
from durably_cli.journal.state import RunState
from durably_cli.steps.operation import Past
from durably_cli.system.ids import short


def check_redo(steps: Sequence[str], state: RunState, past: Past) -> None:
    """NotFound or UsageError if one of these is no failed step of a run that may go on."""
    run = short(state.created.run)
    if state.is_final:
        raise UsageError(f"run {run} is {state.status}, which is final: no step is executed again")
    for name in steps:
        if name in past.results:
            raise UsageError(f"step {name} of run {run} has completed, which is final")
        if name not in state.unfinished:
            failed = ", ".join(step.name for step in state.failed_steps[-3:])
            raise NotFound(
                f"run {run} has no step {name!r}" + (f"; {failed} failed" if failed else ""),
                hint=hints.command("inspect", run),
                code="no-such-step",
            )
