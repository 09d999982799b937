"""For people: tables, and a run's whole story, on a terminal. Only terminals need Rich."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, OverflowMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.journal.events import LogWritten
from durably_cli.render.bars import show_timeline
from durably_cli.render.colours import status_text
from durably_cli.render.record import in_doubt, summary
from durably_cli.render.rows import labels_text, log_lines, pretty_json
from durably_cli.render.words import age, listed, local_clock, local_time, span, visible
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural
from durably_cli.values.strict_json import Json

LOGS = 20
"""How many log lines of a long run are shown, the last ones."""

_JSON_LINES = 30
_JSON_LINE = 60


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
            _text(row["job"] or ""),
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


def show_run(view: RunView, console: Console, *, every_step: bool = False) -> None:
    """A run's story: what it is, its timeline, logs and error."""
    _show_facts(view, console)
    total = view.state.completed_steps + len(view.state.unfinished)
    attempts = len(view.state.attempts)
    failed = len(view.state.failed_steps)
    title = plural(total, "step") + (f", {failed:,} failed" if failed else "")
    heading(console, title + (f", in {attempts:,} attempts" if attempts > 1 else ""))
    show_timeline(view, console, every_step=every_step)
    _show_logs(view, console)
    error = view.state.error
    if error is not None:
        heading(console, "error")
        for line in error.traceback.split("\n"):
            console.print(Text(f"  {visible(line)}", style="red"), soft_wrap=True)


def _show_facts(view: RunView, console: Console) -> None:
    row = summary(view)
    state, created = view.state, view.state.created
    title = Text.assemble((visible(created.job), "bold"), "  ", (view.run_id, "dim"), "  ")
    console.print(title + status_text(row["status"]))
    console.print()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True, min_width=len("  idempotency key"))
    facts.add_column(overflow="fold")
    took = row["seconds"]
    when = f"{local_time(created.at)}, {age(created.at)} ago"
    facts.add_row("  created", when)
    if took is not None:
        facts.add_row("  took", f"{span(took)}, in {plural(len(state.attempts), 'attempt')}")
    if created.labels:
        facts.add_row("  labels", _text(labels_text(created.labels)))
    for name, key in (
        ("idempotency key", created.idempotency_key),
        ("concurrency key", created.concurrency_key),
    ):
        if key is not None:
            facts.add_row(f"  {name}", _text(key))
    if created.folder not in ("", created.project):
        facts.add_row("  folder", _text(created.folder))
    facts.add_row("  input", _json(created.input))
    if state.output is not None:
        facts.add_row("  output", _json(state.output))
    if row["reason"]:
        facts.add_row("  damage" if view.damage else "  reason", _text(row["reason"]))
    for repair in state.repaired:
        what = f"{plural(repair.lines, 'line')} from line {repair.line} on cut off"
        facts.add_row(
            "  repaired", _text(f"{local_time(repair.at)} by {repair.by}: {what}; {repair.kept}")
        )
    if not state.is_final and state.carried:
        what = "failed, and the next attempt replays that"
        facts.add_row("  carried", _text(f"{listed(state.carried)}: {what}"))
    for step in in_doubt(view):
        facts.add_row("  in doubt", _text(f"{step.name}: started, and left no result"))
    if view.torn_bytes:
        facts.add_row("  torn tail", f"{view.torn_bytes:,} bytes, dropped by the next attempt")
    if state.progress is not None and not state.has_ended:
        of = "" if state.progress.total is None else f" of {state.progress.total:g}"
        facts.add_row("  progress", f"{state.progress.current:g}{of}")
    console.print(facts)
    path = Text.assemble(("  journal        ", "dim"), "  ", visible(str(view.path)))
    console.print(path, soft_wrap=True)  # on one line, to be copied


def _show_logs(view: RunView, console: Console) -> None:
    total = view.state.log_lines
    if not total:
        return
    heading(console, plural(total, "log line") + (f", the last {LOGS}" if total > LOGS else ""))
    for line in deque(log_lines(view.events()), maxlen=LOGS):
        console.print(Padding(log_text(line, with_time=True), (0, 0, 0, 2)))


def log_text(line: LogWritten, *, with_time: bool) -> Text:
    """A line of step.log with its level's colour and its data."""
    colour = {"warn": "yellow", "error": "red"}.get(line.level, "cyan")
    data = "".join(f" {key}={value}" for key, value in line.data.items())
    return Text.assemble(
        (f"{local_clock(line.at)} " if with_time else "", "dim"),
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
            no_wrap=name not in ("step", "result", "notes"),
        )
    return table


def heading(console: Console, title: str) -> None:
    """A line that a section begins with."""
    console.print()
    console.print(Text(title, style="bold"))


def _json(text: Json) -> Text:
    if len(text) <= _JSON_LINE:
        return Text(visible(json.dumps(json.loads(text), ensure_ascii=False)))
    lines = pretty_json(text).split("\n")
    if len(lines) > _JSON_LINES:
        lines = [
            *lines[:_JSON_LINES],
            f"... {len(lines) - _JSON_LINES:,} more lines (--json has all)",
        ]
    return Text("\n".join(lines))


def _text(value: str, style: str = "", *, on_one_line: bool = False) -> Text:
    overflow: OverflowMethod | None = "ellipsis" if on_one_line else None
    return Text(visible(value), style=style, no_wrap=on_one_line or None, overflow=overflow)
