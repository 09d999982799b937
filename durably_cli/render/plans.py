"""What a resume or a fork would do with each step, in rows and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from durably_cli.engines.plan import Plan, PlannedStep
from durably_cli.render.rows import row, write_json
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.part_types import PlanFields, PlannedStepFields

COLUMNS = ("step", "plan", "seconds", "code", "why")
"""The columns of a step: fixed, and only ever appended to."""


def write_plan(plan: Plan, out: TextIO) -> None:
    """A line a step: name, plan, seconds it took, code, why."""
    for step in plan.steps:
        seconds = None if step.ms is None else step.ms / 1000
        out.write(row(step.name, step.what, seconds, step.code, step.why))


def draw_plan(plan: Plan, out: TextIO) -> None:
    """The same as a table on a terminal."""
    from rich.table import Table  # only a terminal needs it
    from rich.text import Text

    from durably_cli.render.tables import GAP, console_on

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name in ("step", "plan", "took", "code", "why"):
        table.add_column(name, justify="right" if name == "took" else "left", overflow="fold")
    for step in plan.steps:
        took = "" if step.ms is None else span(step.ms / 1000)
        code = "" if step.code in ("same", "unknown") else step.code
        table.add_row(
            visible(step.name),
            Text(step.what, style=_STYLES[step.what]),
            took,
            Text(code, style="yellow"),
            Text(visible(step.why), style="dim"),
        )
    console_on(out).print(table)


_STYLES = {"replay": "green", "run": "", "perhaps": "yellow", "in doubt": "yellow", "stop": "red"}


def write_plan_json(plan: Plan, run_id: str, out: TextIO) -> None:
    """{"schema": 1, "plan": {...}; no last brace."""
    fields: PlanFields = {
        "run": run_id,
        "replayed": plan.count("replay"),
        "saved_ms": plan.saved_ms,
        "steps": [_fields(step) for step in plan.steps],
        "warnings": plan.warnings,
    }
    write_json({"plan": fields}, out)


def _fields(step: PlannedStep) -> PlannedStepFields:
    return {
        "name": step.name,
        "plan": step.what,
        "ms": step.ms,
        "code": step.code,
        "why": step.why or None,
    }


def say_plan(plan: Plan) -> Iterator[str]:
    """How many steps become what, and what that saves."""
    replayed, executed = plan.count("replay"), plan.count("run") + plan.count("in doubt")
    said = list[str]()
    if replayed:
        saves = span(plan.saved_ms / 1000)
        said.append(f"{plural(replayed, 'step')} replayed, which saves {saves}")
    if executed:
        said.append(f"{plural(executed, 'step')} executed")
    if perhaps := plan.count("perhaps"):
        said.append(f"{perhaps:,} perhaps")
    stops = [step.name for step in plan.steps if step.what == "stop"]
    if said:
        yield ", ".join(said) + ("" if stops else ", and whatever else the job asks for")
    if changed := sum(step.code in ("changed", "gone") for step in plan.steps):
        yield f"the code of {plural(changed, 'step')} has changed"
    if stops:
        yield f"it stops at step {stops[0]}"
    yield from plan.warnings
