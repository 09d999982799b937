"""For pipes: tab-separated rows and JSON documents, written as they are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TextIO, cast

from durably_cli.engines.local.files_of_run import vouched_files
from durably_cli.engines.local.view import RunView, Unreadable, whole_log
from durably_cli.journal.blobs import size_of
from durably_cli.journal.events import LogWritten
from durably_cli.journal.registry import Event
from durably_cli.journal.step_state import StepState, step_states
from durably_cli.render.record import COLUMNS, SCHEMA, details, summary
from durably_cli.render.step_record import step_fields, step_status
from durably_cli.render.words import one_line, visible_json
from durably_cli.values.strict_json import Json, to_json
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.run_types import Level, LogFields, RunSummary, StepWithResult


def write_list(runs: Iterable[RunView | Unreadable], out: TextIO) -> None:
    """A row a run, tab-separated, in the columns of COLUMNS."""
    for run in runs:
        fields = summary(run)
        cells: dict[str, object] = {**fields, "labels": labels_text(fields["labels"])}
        out.write(row(*(cells[column] for column in COLUMNS)))


def write_list_json(
    runs: Iterable[RunView | Unreadable],
    out: TextIO,
    fields: Callable[[RunView | Unreadable], RunSummary] = summary,
) -> None:
    """{"schema": 1, "runs": [...], and no last brace: the document goes on."""
    out.write(f'{{"schema": {SCHEMA}, "runs": [')
    try:
        _write_items(map(fields, runs), out)
    finally:
        out.write("]")


def write_run(view: RunView, out: TextIO) -> None:
    """A run, a line a fact: what it is, a tab, its cells. Steps and logs have a line each."""
    fields = details(view)
    error = fields["error"]
    for name, value in fields.items():
        if name == "attempts":
            for attempt in fields["attempts"]:
                out.write(row("attempt", *attempt.values()))
        elif name == "children":
            for child in fields["children"]:
                out.write(row("child", *child.values()))
        elif name == "waits":
            for wait in fields["waits"]:
                del wait["takes"]  # too much for a cell: --json has it
                out.write(row("wait", *wait.values()))
        elif name == "decisions":
            for decision in fields["decisions"]:
                out.write(row("decision", *decision.values()))
        elif name == "error":
            if error is not None:
                out.write(row("error", f"{error['type']}: {error['message']}"))
                out.writelines(row("traceback", line) for line in error["traceback"].split("\n"))
        elif name == "labels":
            out.write(row(name, labels_text(fields["labels"])))
        elif name == "input" or (name == "output" and view.state.output is not None):
            out.write(row(name, json_of(value)))
        elif value not in (None, [], 0) or name == "steps":
            out.write(row(name, value))
    files = list[str]()
    for step in all_steps(view):
        ms = None if step.ms is None else step.ms / 1000
        bytes_ = None if step.result is None else size_of(step.result)
        out.write(
            row(
                *("step", step.name, step_status(step, view), step.started, ms, bytes_),
                *(step.attempt, step.tries, None if step.error is None else one_line(step.error)),
            )
        )
        files += (row("file", step.name, *file[:4]) for file in vouched_files(step, view))
    out.writelines(files)
    for log in log_lines(view.events()):
        out.write("log\t" + _log_line(whole_log(view.path, log)))


def write_run_json(view: RunView, out: TextIO) -> None:
    """{"schema": 1, "run": {...}: its checkpoints and logs last, for they may be many.

    No last brace: the document goes on, also behind an error of a part.
    """
    head, rest = json_of(details(view)), '], "logs": []}'
    out.write(f'{{"schema": {SCHEMA}, "run": {head[:-1]}, "checkpoints": [')
    try:
        _write_items((step_fields(step, view) for step in all_steps(view)), out)
        out.write('], "logs": [')
        rest = "]}"
        logs = (whole_log(view.path, log) for log in log_lines(view.events()))
        _write_items(map(_log_fields, logs), out)
    finally:
        out.write(rest)


def write_results_json(
    results: Iterator[tuple[StepState, Json]], view: RunView, out: TextIO, *, is_one: bool
) -> None:
    """{"schema": 1, "step": {...}, or "steps": [...], with all of their results; no last brace."""
    fields = (_with_result(step, result, view) for step, result in results)
    if is_one:
        write_json({"step": next(fields)}, out)
        return
    out.write(f'{{"schema": {SCHEMA}, "steps": [')
    try:
        _write_items(fields, out)
    finally:
        out.write("]")


def _with_result(step: StepState, result: Json, view: RunView) -> StepWithResult:
    return {**step_fields(step, view), "result": json.loads(result)}


def write_summary_json(view: RunView, out: TextIO, extra: Mapping[str, object]) -> None:
    """{"schema": 1, "run": {...} of a run that was just triggered or resumed; no last brace."""
    write_json({"run": {**details(view), **extra}}, out)


def write_output(view: RunView, out: TextIO, *, is_terminal: bool) -> None:
    """The output of a run on its own, if it has one."""
    output = view.output()
    if output is not None:
        out.write((pretty_json(output) if is_terminal else visible_json(output)) + "\n")


def write_json(members: Mapping[str, object], out: TextIO) -> None:
    """A document of these members, but for its last brace."""
    out.write(json_of({"schema": SCHEMA, **members})[:-1])


def write_log(log: LogWritten, out: TextIO) -> None:
    """A line of the log: time, level, step, message, data, source."""
    out.write(_log_line(log))


def write_log_json(log: LogWritten, out: TextIO) -> None:
    """A line of the log as a JSON document on a line of its own."""
    out.write(json_of(_log_fields(log)) + "\n")


def all_steps(view: RunView) -> Iterator[StepState]:
    """Every step's last word."""
    return step_states(view.events(), view.state.unfinished, view.state.discarded)


def log_lines(events: Iterable[Event]) -> Iterator[LogWritten]:
    """The lines of a run's log."""
    return (event for event in events if isinstance(event, LogWritten))


def pretty_json(text: str) -> str:
    """A JSON text for a terminal: indented, in the user's script, nothing invisible in it."""
    shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in shown
    )


def json_of(value: object) -> str:
    """A plain value as JSON that any terminal may be shown."""
    return visible_json(to_json(value))


def row(*cells: object) -> str:
    """A line of tab-separated cells."""
    return "\t".join(map(cell, cells)) + "\n"


def cell(value: object) -> str:
    """One cell of a row: text on one line, JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json_of(value)
    return visible(str(value))


def labels_text(labels: dict[str, str]) -> str:
    """Labels as they are given: key=value, with commas between them."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _log_fields(log: LogWritten) -> LogFields:
    """A line of the log, for --json; with `whole` if the file that has all of it is lost."""
    fields: LogFields = {
        "level": cast("Level", log.level),
        "message": log.message,
        "at": log.at,
        "step": log.step,
        "data": log.data,
        "source": log.source,
    }
    if log.whole:
        fields["whole"] = log.whole
    return fields


def _log_line(log: LogWritten) -> str:
    return row(log.at, log.level, log.step, log.message, log.data or None, log.source)


def _write_items(items: Iterable[Mapping[str, object]], out: TextIO) -> None:
    separator = "\n"
    for item in items:
        out.write(separator + json_of(item))
        separator = ",\n"
