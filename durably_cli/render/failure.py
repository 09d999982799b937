"""The error that a run failed with, short enough to be read where many of its steps have failed."""

from __future__ import annotations

import re

from durably_cli import hints
from durably_cli.engines.run_view import RunView
from durably_cli.journal.step_state import StepStatus
from durably_cli.render.words import one_line
from durably_cli.system.ids import short

MOST = 3
"""How many failed steps are shown each with its traceback; of more of them the first one is."""

_SECOND = re.compile(r"( *)\+-+ 2 -+")
"""Where Python begins the second exception of a group; what it ends the group with has its indent.
"""


def error_lines(view: RunView) -> list[str]:
    """What a run failed with. `inspect` has all of it."""
    state = view.state
    if state.error is None:
        return []
    lines = state.error.traceback.split("\n")
    causes = [state.unfinished[name] for name in state.causes if name in state.unfinished]
    failed = [
        step for step in causes if step.status is StepStatus.FAILED and step.name not in state.maps
    ]
    if len(failed) <= MOST:
        return lines
    lines = [*_with_first_members(lines), f"{len(failed):,} steps failed:"]
    for step in failed[:MOST]:
        lines.append(f"  {step.name}: {one_line(step.error) if step.error else ''}")
    others = hints.command("inspect", short(view.run_id), "--all")
    return [*lines, f"  and {len(failed) - MOST:,} more: {others}"]


def _with_first_members(lines: list[str]) -> list[str]:
    """A traceback with the first exception of each group in it, and no other one."""
    shown, end = list[str](), ""
    for line in lines:
        if end and line == end:
            end = ""
        elif not end and (second := _SECOND.fullmatch(line)):
            end = f"{second[1]}+{'-' * 36}"
        if not end:
            shown.append(line)
    return shown
