"""For people: tables on a terminal. Only terminals need Rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.table import Table
from rich.text import Text

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.journal.events import LogWritten
from durably_cli.render.colours import status_text
from durably_cli.render.record import summary
from durably_cli.render.rows import labels_text
from durably_cli.render.words import age
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible


def console_on(out: TextIO) -> Console:
    """A console that shows what it is given as it is."""
    return Console(file=out, highlight=False, emoji=False, markup=False)


_COLUMNS = ("run", "job", "status", "age", "took", "steps", "notes")
_NUMBERS = ("age", "took", "steps")

GAP = 2
"""How many cells stand between two columns."""

_FIRST_TO_GO = ("steps", "took", "notes", "age")
"""What is left out where there is no room for all, and in which order."""

_LEAST = {"job": 10, "notes": 12}
"""The columns that give way, and down to how many cells."""


def show_list(runs: Iterable[RunView | Unreadable], console: Console) -> int:
    """The runs as a table, of as many columns as there is room for; how many runs there were."""
    rows = [dict(zip(_COLUMNS, _cells(run), strict=True)) for run in runs]
    if rows:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
        names = with_room(rows, console.width, _FIRST_TO_GO, _LEAST)
        for name in names:
            justify: JustifyMethod = "right" if name in _NUMBERS else "left"
            table.add_column(name, justify=justify, no_wrap=name not in _LEAST)
        for row in rows:
            table.add_row(*(row[name] for name in names))
        console.print(table)
    return len(rows)


def _cells(run: RunView | Unreadable) -> list[Text]:
    row = summary(run)
    took, failures = row["seconds"], row["steps_failed"]
    failed = f"{plural(failures, 'step')} failed" if failures else ""
    fork = f"fork of {short(row['origin'])}" if row["origin"] else ""
    notes = [row["reason"] or failed, fork, labels_text(row["labels"])]
    return [
        Text(short(run.run_id), style="bold"),
        _text(row["job"] or "", on_one_line=True),
        status_text(row["status"]),
        Text(age(row["created"]), style="dim"),
        Text("" if took is None else span(took)),
        Text("" if row["steps"] is None else f"{row['steps']:,}"),
        _text("  ".join(filter(None, notes)), style="dim", on_one_line=True),
    ]


def with_room(
    rows: list[dict[str, Text]], width: int, first_to_go: Sequence[str], least: dict[str, int]
) -> list[str]:
    """The columns of a table that have the room they need; `least` is what some can do with."""
    needed = {
        name: min(max(len(name), *(row[name].cell_len for row in rows)), least.get(name, width))
        for name in rows[0]
    }
    for name in first_to_go:
        if sum(needed.values()) + GAP * (len(needed) - 1) <= width:
            break
        del needed[name]
    return list(needed)


def log_text(line: LogWritten, time: str = "") -> Text:
    """A line of a run's log: its level in colour, where it comes from, its data and traceback."""
    colour = {"debug": "dim", "warn": "yellow", "error": "red"}.get(line.level, "cyan")
    return Text.assemble(
        (f"{time} " if time else "", "dim"),
        (f"{line.level:5} ", colour),
        (f"{visible(line.source)}: " if line.source else "", "dim"),
        visible(line.message),
        (visible(line.values), "dim"),
        ("".join(f"\n  {visible(each)}" for each in line.traceback), "dim"),
    )


def heading(console: Console, title: str) -> None:
    """A line that a section begins with."""
    console.print()
    console.print(Text(title, style="bold"))


def _text(value: str, style: str = "", *, on_one_line: bool = False) -> Text:
    overflow: OverflowMethod | None = "ellipsis" if on_one_line else None
    return Text(visible(value), style=style, no_wrap=on_one_line or None, overflow=overflow)
