"""A run's whole story on a terminal: what happened, what to type next, then all the rest."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from durably_cli import hints
from durably_cli.engines.local.files_of_run import vouched_files
from durably_cli.engines.local.forks import forks_of
from durably_cli.engines.local.view import RunView
from durably_cli.journal.step_events import StepDiscarded
from durably_cli.render.bars import show_timeline
from durably_cli.render.colours import status_text
from durably_cli.render.family import child_fields
from durably_cli.render.next_steps import next_steps
from durably_cli.render.reason import reason
from durably_cli.render.record import summary
from durably_cli.render.rows import all_steps, labels_text, log_lines, pretty_json
from durably_cli.render.step_record import cut_short, failed_steps, in_doubt, last_try, retrying
from durably_cli.render.tables import heading, log_text
from durably_cli.render.words import age, listed, local_clock, local_time
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural, size
from durably_cli.values.strict_json import Json
from durably_cli.values.visible import visible

LOGS, LATEST_LOGS = 20, 6
"""How many log lines of a long run are shown, the last ones; and beside what goes on."""

DECISIONS = 10
"""How many decisions about steps are shown, the last ones."""

FILES = 50
"""How many files that results vouch for are shown, the last ones."""

_JSON_LINES = 30
_JSON_LINE = 60
_NAMES = len("  concurrency key")

Fact = tuple[str, str | Text]


def show_run(view: RunView, console: Console, *, every_step: bool = False) -> None:
    """All that there is to say of a run."""
    _show_title(view, console)
    console.print()
    _show_facts(_what_happened(view), console)
    _show_next(view, console)
    _show_error(view, console)
    _show_steps(view, console, every_step=every_step)
    _show_files(view, console)
    _show_logs(view, console)
    heading(console, "details")
    _show_facts(_rest(view), console)
    _show_in_one_piece("journal", str(view.path), console)


def show_what_goes_on(view: RunView, console: Console) -> None:
    """What changes while a run executes, under a head of two lines."""
    _show_title(view, console)
    facts = [f"{name} {text}" for name, text in _how_far(view)]
    console.print(Text("  " + "  ".join(facts)), no_wrap=True, overflow="ellipsis")
    _show_steps(view, console)
    _show_logs(view, console, LATEST_LOGS)


def _show_title(view: RunView, console: Console) -> None:
    job, status = visible(view.state.created.job), status_text(str(view.status))
    console.print(Text.assemble((job, "bold"), "  ", (view.run_id, "dim"), "  ", status))


def _how_far(view: RunView) -> Iterator[Fact]:
    took, state = summary(view)["seconds"], view.state
    if took is not None:
        yield "took", f"{span(took)}, in {plural(len(state.attempts), 'attempt')}"
    if state.progress is not None and not state.has_ended:
        of = "" if state.progress.total is None else f" of {state.progress.total:g}"
        message = f" {visible(state.progress.message)}" if state.progress.message else ""
        yield "progress", f"{state.progress.current:g}{of}{message}"


def _what_happened(view: RunView) -> Iterator[Fact]:
    state = view.state
    if why := reason(view, but_tries=True):
        yield "damage" if view.damage else "reason", visible(why)
    for step in in_doubt(view):
        yield "in doubt", visible(f"{step.name}: started, and left no result")
    for step in cut_short(view):
        then = "" if state.is_final else "; the next attempt looks"
        yield "cut short", visible(f"{step.name}: its database knows whether it was done{then}")
    yield from _how_far(view)
    for step in retrying(view):
        when = local_time(step.until or step.started)
        yield "retrying", visible(f"{step.name}: {last_try(step)}; the next one at {when}")
    for child in child_fields(view):
        shown = f"{'  ' * (child['depth'] - 1)}{child['step']}: {child['job'] or 'gone'}"
        yield "child", visible(f"{shown}  {short(child['run'])}  {child['status'] or ''}")
    if state.output is not None:
        yield "output", _json(state.output)
    for decided in state.decisions[-DECISIONS:]:
        redo = isinstance(decided, StepDiscarded)
        what = "to be executed again" if redo else "was done"
        said = f"{decided.name}: {what}, says {decided.by} at {local_time(decided.at)}"
        yield "decided", visible(said)
    for repair in state.repaired:
        what = f"{plural(repair.lines, 'line')} from line {repair.line} on cut off"
        yield "repaired", visible(f"{local_time(repair.at)} by {repair.by}: {what}; {repair.kept}")
    if not state.is_final and state.carried:
        what = "failed, and the next attempt replays that"
        yield "carried", visible(f"{listed(state.carried)}: {what}")
    if view.torn_bytes:
        yield "torn tail", f"{view.torn_bytes:,} bytes, dropped by the next attempt"


def _rest(view: RunView) -> Iterator[Fact]:
    created = view.state.created
    yield "created", f"{local_time(created.at)}, {age(created.at)} ago"
    if view.state.origin:
        here = plural(view.state.from_origin, "result")
        yield "fork of", f"{view.state.origin}, of which it has {here}"
    if created.parent:
        yield "child of", created.parent
    if forks := forks_of(view.path):
        yield "forks", ", ".join(map(short, forks))
    if created.labels:
        yield "labels", visible(labels_text(created.labels))
    for name, key in (
        ("idempotency key", created.idempotency_key),
        ("concurrency key", created.concurrency_key),
    ):
        if key is not None:
            yield name, visible(key)
    if created.folder not in ("", created.project):
        yield "folder", visible(created.folder)
    yield "input", _json(created.input)


def _show_facts(facts: Iterator[Fact], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=_NAMES)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(f"  {name}", Text(value) if isinstance(value, str) else value)
    if table.row_count:
        console.print(table)


def _show_next(view: RunView, console: Console) -> None:
    for each in next_steps(view):
        _show_in_one_piece(each.purpose, hints.command(*each.words), console)


def _show_in_one_piece(name: str, text: str, console: Console) -> None:
    """A fact that people copy: a terminal that wraps it hands it out as one line."""
    line = Text.assemble((f"  {name}".ljust(_NAMES + 2), "dim"), visible(text))
    console.print(line, soft_wrap=True)


def _show_error(view: RunView, console: Console) -> None:
    error = view.state.error
    if error is not None:
        heading(console, "error")
        for line in error.traceback.split("\n"):
            console.print(Text(f"  {visible(line)}", style="red"), soft_wrap=True)


def _show_steps(view: RunView, console: Console, *, every_step: bool = False) -> None:
    attempts, failed = len(view.state.attempts), len(failed_steps(view))
    title = f"{plural(view.state.completed_steps, 'step')} completed"
    title += f", {failed:,} failed" if failed else ""
    heading(console, title + (f", in {attempts:,} attempts" if attempts > 1 else ""))
    show_timeline(view, console, every_step=every_step)


def _show_files(view: RunView, console: Console) -> None:
    found = [(step, file) for step in all_steps(view) for file in vouched_files(step, view)]
    if not found:
        return
    heading(console, plural(len(found), "file"))
    for step, file in found[-FILES:]:
        became = (file.change, "yellow") if file.change else ("as it was", "dim")
        facts = f"{visible(file.path)}  {size(file.size)}  "
        console.print(Text.assemble("  ", facts, became, (f"  of {visible(step.name)}", "dim")))


def _show_logs(view: RunView, console: Console, most: int = LOGS) -> None:
    total = view.state.log_lines
    if not total:
        return
    heading(console, plural(total, "log line") + (f", the last {most}" if total > most else ""))
    for line in deque(log_lines(view.events()), maxlen=most):
        console.print(Padding(log_text(line, local_clock(line.at)[:8]), (0, 0, 0, 2)))


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
