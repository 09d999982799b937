"""A project's jobs, and one job's input, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from durably_cli.errors import JobModuleError
from durably_cli.project.job import Job
from durably_cli.render.colours import status_text
from durably_cli.render.tables import GAP, console_on, heading, with_room
from durably_cli.render.words import age
from durably_cli.system.ids import short
from durably_cli.values.schema import Field
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.run_types import RunSummary

AnyJob = Job[Any, Any]

_COLUMNS = ("job", "last run", "age", "what it does")
_LEAST = 20
"""How many cells what a job does needs."""


def show_jobs(
    described: Sequence[tuple[AnyJob, RunSummary | None]],
    broken: Sequence[JobModuleError],
    project: Path,
    out: TextIO,
) -> None:
    """Every job with what it does and its last run; modules that do not import among them."""
    console = console_on(out)
    found = []
    for job, run in described:
        status = Text("never", "dim") if run is None else status_text(run["status"])
        when = Text("" if run is None else age(run["created"]), "dim")
        found.append((Text(job.name, "bold"), status, when, Text(visible(job.doc))))
    for error in broken:
        path = Path(error.path)
        name = path.relative_to(project) if path.is_relative_to(project) else path
        why = Text(visible(error.reason), "red")
        found.append((Text(visible(str(name))), status_text("broken"), Text(), why))
    rows = [dict(zip(_COLUMNS, cells, strict=True)) for cells in found]
    names = with_room(rows, console.width, ("age", "last run"), {_COLUMNS[-1]: _LEAST})
    table = _table(*names)
    longest = max(row["job"].cell_len for row in rows)
    table.columns[0].no_wrap = longest + GAP + _LEAST <= console.width
    for row in rows:
        table.add_row(*(row[name] for name in names))
    console.print(table)


def show_job(job: AnyJob, last_run: RunSummary | None, example: str, out: TextIO) -> None:
    """What a job does, the fields of its input, what it returns, and a command that runs it."""
    console = console_on(out)
    title = Text.assemble((job.name, "bold"), "  ", (visible(job.place), "dim"))
    console.print(title, soft_wrap=True)
    if job.doc:
        console.print(Text(visible(job.doc)))
    if job.fields:
        heading(console, "input")
        console.print(Padding(_fields(job.fields), (0, 0, 0, 2)))
    _show_facts(job, last_run, console)
    heading(console, "to run it")
    console.print(Text(visible(f"  {example}")), soft_wrap=True)


def _show_facts(job: AnyJob, last_run: RunSummary | None, console: Console) -> None:
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="bold")
    facts.add_column()
    if not job.fields:
        facts.add_row("input", visible(job.input_type))
    facts.add_row("output", visible(job.output_type))
    if last_run is None:
        facts.add_row("last run", "never")
    else:
        when = f", {age(last_run['created'])} ago, {short(last_run['id'])}"
        facts.add_row("last run", Text.assemble(status_text(last_run["status"]), when))
    console.print()
    console.print(facts)


def _fields(fields: Sequence[Field]) -> Table:
    table = _table("field", "type", "default", "what it is for")
    for field in fields:
        default = visible(field.default or "")
        table.add_row(
            Text(visible(field.flag or f"-p {field.name}="), "bold"),
            Text(visible(field.type)),
            Text("required", "yellow") if field.required else Text(default),
            Text(visible("  ".join(filter(None, (field.about, _why_no_flag(field)))))),
        )
    return table


def _why_no_flag(field: Field) -> str:
    return f"({field.taken} is trigger's own)" if field.taken else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
