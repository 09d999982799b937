"""For people: tables, and a run's whole story, on a terminal. Only this and `live` use rich."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from rich.console import Console, OverflowMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from durably_cli.events import Json, LogWritten
from durably_cli.ids import short
from durably_cli.render.plain import all_steps, labels_text, logs, pretty_json
from durably_cli.render.summary import in_doubt, step_status, summary
from durably_cli.render.text import age, plural, size, span, visible, visible_lines
from durably_cli.state import Attempt, StepState
from durably_cli.store import Unreadable, View
from durably_cli.timeline import seconds_of

HEAD, TAIL, FAILURES, LOGS = 20, 10, 20, 20
"""How many steps and log lines of a long run are shown."""

_JSON_LINES = 30

_LOOKS = {
    "completed": ("green", "✓"),
    "failed": ("red", "✗"),
    "damaged": ("red", "✗"),
    "unreadable": ("red", "✗"),
    "running": ("cyan", "●"),
    "pending": ("cyan", "○"),
    "interrupted": ("yellow", "◐"),
    "in doubt": ("yellow", "?"),
    "cancelled": ("dim", "-"),
}


def show_list(runs: Iterable[View | Unreadable], console: Console) -> int:
    """The runs as a table; how many there were."""
    table = _table("run", "job", "status", ">age", ">took", ">steps", "notes")
    count = 0
    for run in runs:
        row = summary(run)
        took = row["seconds"]
        notes = [row["reason"] or "", labels_text(row["labels"])]
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


def show_run(view: View, console: Console) -> None:
    """A run's story: what it is, its attempts, steps, logs and error."""
    _show_facts(view, console)
    if len(view.state.attempts) > 1:
        _heading(console, "attempts")
        console.print(Padding(_attempts(view.state.attempts), (0, 0, 0, 2)))
    _show_steps(view, console)
    _show_logs(view, console)
    error = view.state.error
    if error is not None:
        _heading(console, "error")
        console.print(Padding(Text(visible_lines(error.traceback), style="red"), (0, 0, 0, 2)))


def status_text(status: str) -> Text:
    """A status with its sign and colour."""
    colour, sign = _LOOKS.get(status, ("", "·"))
    return Text(f"{sign} {status}", style=colour)


def _show_facts(view: View, console: Console) -> None:
    row = summary(view)
    state, created = view.state, view.state.created
    title = Text.assemble((visible(created.job), "bold"), "  ", (view.run_id, "dim"), "  ")
    console.print(title + status_text(row["status"]))
    console.print()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True, min_width=len("  idempotency key"))
    facts.add_column(overflow="fold")
    took = row["seconds"]
    when = f"{created.at[:19].replace('T', ' ')} UTC, {age(created.at)} ago"
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
    facts.add_row("  input", _json(created.input))
    if state.output is not None:
        facts.add_row("  output", _json(state.output))
    if row["reason"]:
        facts.add_row("  damage" if view.damage else "  reason", _text(row["reason"]))
    for step in in_doubt(view):
        facts.add_row("  in doubt", _text(f"{step.name}: started, and left no result"))
    if view.torn_bytes:
        facts.add_row("  torn tail", f"{view.torn_bytes:,} bytes, dropped by the next attempt")
    if state.progress is not None and not state.has_ended:
        of = "" if state.progress.total is None else f" of {state.progress.total:g}"
        facts.add_row("  progress", f"{state.progress.current:g}{of}")
    console.print(facts)
    path = Text.assemble(("  journal          ", "dim"), "  ", visible(str(view.path)))
    console.print(path, soft_wrap=True)  # on one line, to be copied


def _attempts(attempts: list[Attempt]) -> Table:
    table = _table(">#", "started (UTC)", ">took", "ended", "process")
    shown = list(enumerate(attempts, 1))
    for number, attempt in shown if len(shown) <= HEAD + TAIL else shown[:HEAD] + shown[-TAIL:]:
        started = attempt.started
        dropped = f", dropped {started.dropped:,} torn bytes" if started.dropped else ""
        table.add_row(
            str(number),
            started.at[:19].replace("T", " "),
            span(seconds_of(attempt)),
            _text(attempt.outcome),
            _text(f"{started.pid} on {started.host}{dropped}"),
        )
    return table


def _show_steps(view: View, console: Console) -> None:
    total = view.state.completed_steps + len(view.state.unfinished)
    _heading(console, plural(total, "step"))
    if not total:
        return
    table = _table("step", "status", "started (UTC)", ">took", "result")
    failures = iter(view.state.failed_steps)
    for step in _head_and_tail(all_steps(view), total):
        if step is None:
            left_out = total - HEAD - TAIL
            table.add_row(Text(f"... {left_out:,} more ...", style="dim"))
            for failed in islice(failures, FAILURES):
                table.add_row(*_step_row(failed, view))
        else:
            table.add_row(*_step_row(step, view))
    console.print(Padding(table, (0, 0, 0, 2)))


def _head_and_tail(found: Iterator[StepState], total: int) -> Iterator[StepState | None]:
    """All of a few; the first and the last of many, with None between them."""
    if total <= HEAD + TAIL:
        return found
    tail: deque[StepState] = deque(maxlen=TAIL)

    def rest() -> Iterator[StepState | None]:
        tail.extend(found)
        yield None
        yield from tail

    return chain(islice(found, HEAD), rest())


def _step_row(step: StepState, view: View) -> list[Text]:
    took = "" if step.ms is None else span(step.ms / 1000)
    if step.error is not None:
        result = _text(f"{step.error.type}: {step.error.message}", "red", on_one_line=True)
    else:
        result = Text("" if step.result is None else size(len(step.result)))
    return [
        _text(step.name),
        status_text(step_status(step, view)),
        Text(step.started[11:23], style="dim"),
        Text(took),
        result,
    ]


def _show_logs(view: View, console: Console) -> None:
    total = view.state.log_lines
    if not total:
        return
    _heading(console, plural(total, "log line") + (f", the last {LOGS}" if total > LOGS else ""))
    for line in deque(logs(view.events()), maxlen=LOGS):
        console.print(Padding(log_text(line, with_time=True), (0, 0, 0, 2)))


def log_text(line: LogWritten, *, with_time: bool) -> Text:
    """A line of step.log with its level's colour and its data."""
    colour = {"warn": "yellow", "error": "red"}.get(line.level, "cyan")
    data = "".join(f" {key}={value}" for key, value in line.data.items())
    return Text.assemble(
        (f"{line.at[11:19]} " if with_time else "", "dim"),
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


def _heading(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold"))


def _json(text: Json) -> Text:
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
