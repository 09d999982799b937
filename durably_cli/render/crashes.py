"""What a test of crashes has found: rows, a document, and a table and a list on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from durably_cli.render.rows import row, write_json
from durably_cli.system import terminals
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.crash_types import CrashFinding, CrashReport, CrashTried

_COLUMNS = ("kind", "step", "function", "call", "path", "said", "mend", "killed", "trials")
_BETWEEN = "between its steps"
_TITLES = {
    "twice": "happened twice",
    "more": "wrote more",
    "less": "lost something",
    "other": "left something else",
    "order": "wrote in another order",
    "gone": "lost something",
    "left": "left something behind",
    "result": "gave something else",
    "output": "gave another output",
    "asked": "asked for something else",
    "fails": "cannot be resumed",
    "stuck": "does not end",
}


class Counter:
    """Says on a terminal which trial there is, on one line that goes in the end."""

    def __init__(self, out: TextIO, *, is_silent: bool) -> None:
        self._out = out
        self._is_drawn = not is_silent and terminals.can_be_drawn_on(out)

    def at(self, number: int, of: int, what: str) -> None:
        """This trial begins."""
        if self._is_drawn:
            count = f"kill {number} of {of}: " if of else ""
            window = terminals.window_of(self._out)
            text = visible(f"{count}{what}")[: (window[0] if window else 80) - 1]
            self._draw(text)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._draw("")
        self._out.write(visible(text) + "\n")
        self._out.flush()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def _draw(self, text: str) -> None:
        if self._is_drawn:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()


def write_report(report: CrashReport, out: TextIO) -> None:
    """A row a finding."""
    for finding in report["findings"]:
        out.write(row(*(finding[column] for column in _COLUMNS)))  # type: ignore[literal-required]


def write_report_json(report: CrashReport, out: TextIO) -> None:
    """{"schema": 1, "test": {...}, and no last brace: the document goes on."""
    write_json({"test": report}, out)


def show_report(report: CrashReport, out: TextIO) -> None:
    """A table of what was tried, what was found, and what was not seen."""
    from rich.table import Table  # only a terminal needs it
    from rich.text import Text

    from durably_cli.render.tables import GAP, console_on

    console = console_on(out)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name in ("", "step", "asked for at", "function", "kills", "held"):
        is_number = name in ("kills", "held")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for each in report["tried"]:
        holds = each["held"] == each["trials"]
        mark = "✓" if holds else "✗"
        table.add_row(
            Text(mark if each["trials"] else "-", style="green" if holds else "red"),
            Text(_name_of(each), style="bold" if each["step"] else "dim"),
            Text(visible(each["call"] or "")),
            Text(visible(each["function"] or "")),
            Text(str(each["trials"])),
            Text(_held(each)),
        )
    console.print(table)
    for finding in report["findings"]:
        console.print()
        console.print(Text(visible(_title(finding)), style="bold red"), soft_wrap=True)
        for name, said in _lines_of(finding):
            console.print(Text.assemble((f"  {name:7} ", "dim"), visible(said)), soft_wrap=True)
    console.print()
    console.print(Text(summary_of(report), style="bold"), soft_wrap=True)
    for line in report["unseen"]:
        console.print(Text(visible(f"not seen: {line}"), style="dim"), soft_wrap=True)


def _name_of(each: CrashTried | CrashFinding) -> str:
    if not each["step"]:
        return _BETWEEN
    return visible(each["step"]) + (f" and {each['others']:,} more" if each["others"] else "")


def _held(each: CrashTried) -> str:
    stopped = f" ({each['stopped']} stopped)" if each["stopped"] else ""
    return f"{each['held']}{stopped}"


def _title(finding: CrashFinding) -> str:
    return f"✗ {_name_of(finding)}: {_TITLES[finding['kind']]}"


def _lines_of(finding: CrashFinding) -> list[tuple[str, str]]:
    where = ", asked for at ".join(filter(None, (finding["function"], finding["call"])))
    said = f"{finding['path']} {finding['said']}" if finding["path"] else finding["said"]
    times = plural(finding["trials"], "kill")
    lines = [("code", where), ("found", said), ("killed", f"{finding['killed']} ({times} in all)")]
    return [line for line in [*lines, ("mend", finding["mend"])] if line[1]]


def summary_of(report: CrashReport) -> str:
    """How often it was killed, and what came of that, on one line."""
    killed = f"killed at {report['trials']:,} of {plural(report['places'], 'place')}"
    failed = "" if report["status"] == "completed" else f", as far as it goes: {report['status']}"
    found = plural(len(report["findings"]), "fault")
    took = span(report["seconds"])
    return f"{visible(report['job'])}: {killed}, {report['held']:,} held, {found}{failed} ({took})"
