"""For people: tables on a terminal. Only terminals need Rich."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, OverflowMethod
from rich.table import Table
from rich.text import Text

from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.journal.events import LogWritten
from durably_cli.render.colours import status_text
from durably_cli.render.record import summary
from durably_cli.render.rows import labels_text
from durably_cli.render.words import age, span, visible
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural


def console_on(out: TextIO) -> Console:
    """A console that shows what it is given as it is."""
    return Console(file=out, highlight=False, emoji=False, markup=False)


def show_list(runs: Iterable[RunView | Unreadable], console: Console) -> int:
    """The runs as a table; how many there were."""
    table = _table("run", "job", "status", ">age", ">took", ">steps", "notes")
    count = 0
    for run in runs:
        row = summary(run)
        took = row["seconds"]
        failures = row["steps_failed"]
        failed = f"{plural(failures, 'step')} failed" if failures else ""
        notes = [row["reason"] or failed, labels_text(row["labels"])]
        table.add_row(
            Text(short(run.run_id), style="bold"),
            _text(row["job"] or "", on_one_line=True),
            status_text(row["status"]),
            Text(age(row["created"]), style="dim"),
            Text("" if took is None else span(took)),
            Text("" if row["steps"] is None else f"{row['steps']:,}"),
            _text("  ".join(filter(None, notes)), style="dim", on_one_line=True),
        )
        count += 1
    if count:
        console.print(table)
    return count


def log_text(line: LogWritten, time: str = "") -> Text:
    """A line of step.log behind a time, with its level's colour and its data."""
    colour = {"warn": "yellow", "error": "red"}.get(line.level, "cyan")
    data = "".join(f" {key}={value}" for key, value in line.data.items())
    return Text.assemble(
        (f"{time} " if time else "", "dim"),
        (f"{line.level:5} ", colour),
        visible(line.message),
        (visible(data), "dim"),
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        is_number = name.startswith(">")
        table.add_column(
            name.removeprefix(">"),
            justify="right" if is_number else "left",
            no_wrap=name not in ("job", "notes"),  # which give way
        )
    return table


def heading(console: Console, title: str) -> None:
    """A line that a section begins with."""
    console.print()
    console.print(Text(title, style="bold"))


def _text(value: str, style: str = "", *, on_one_line: bool = False) -> Text:
    overflow: OverflowMethod | None = "ellipsis" if on_one_line else None
    return Text(visible(value), style=style, no_wrap=on_one_line or None, overflow=overflow)
