"""A run's timeline on a terminal: a bar for every execution of a step, attempt below attempt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from durably_cli.engines.local.view import RunView
from durably_cli.journal.blobs import size_of
from durably_cli.journal.state import Status
from durably_cli.render.colours import LOOKS
from durably_cli.render.timeline import (
    LEFT_OPEN,
    Execution,
    Gap,
    Lane,
    executions,
    lanes,
    pick,
)
from durably_cli.render.words import cut_inside, local_time, outcome_text
from durably_cli.system import clock
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural, size
from durably_cli.values.visible import visible

HEAD, TAIL, SLOWEST, FAILURES = 12, 8, 5, 20
"""How many executions of a long run are shown."""

ATTEMPTS = 12
"""How many attempts are shown, the last ones."""

_NOTICEABLE, _LONGER = 0.1, 1.2
"""How many seconds the slowest takes at the least, and how often those of a usual one."""
_SIGN, _GAP = 1, 2
_SHORTEST_NAME, _SHORTEST_BAR, _SHORTEST_NOTE = len("100 steps done before"), 8, 9
_PAUSE = "┄"
_BARS = {**dict.fromkeys(LEFT_OPEN, "╌"), "running": "━"}


def show_timeline(view: RunView, console: Console, *, every_step: bool = False) -> None:
    """The bars, on an axis of seconds of execution, and which steps were the slowest."""
    is_running = view.status is Status.RUNNING
    found = lanes(view.state.attempts, clock.now() if is_running else None)
    if not found:
        return
    picked = pick(
        executions(view.events(), found, is_running=is_running),
        head=sys.maxsize if every_step else HEAD,
        tail=TAIL,
        slowest=SLOWEST,
        failures=FAILURES,
    )
    drawing = _Drawing(view, found, picked, console.width, every_attempt=every_step)
    console.print(drawing.table(is_running=is_running))
    bars = [each for each in picked if isinstance(each, Execution)]
    for line in _failures(bars, view):
        console.print(line, soft_wrap=True)
    for line in _slowest(bars, console.width):
        console.print(line, no_wrap=True, overflow="ellipsis")


def _failures(bars: list[Execution], view: RunView) -> Iterator[Text]:
    """What the failed ones said, in full; but not the one that is the error of the run."""
    causes = view.state.causes
    shown_elsewhere = causes[0] if len(causes) == 1 else None, len(view.state.attempts)
    failed = [each for each in bars if each.error and (each.name, each.attempt) != shown_elsewhere]
    for number, each in enumerate(failed):
        if number == 0:
            yield Text("")
        error = f"{each.error.type}: {each.error.message}" if each.error else ""
        where = f"{each.name}, attempt {each.attempt}: "
        yield Text.assemble(("  ✗ ", "red"), (visible(where), "dim"), visible(error))


def _slowest(bars: list[Execution], width: int) -> Iterator[Text]:
    """Which took the longest, if there is a choice, and they took noticeably longer than others.

    A line ends between two of them, never in the middle of a number.
    """
    by_length = sorted(bars, key=lambda each: -each.seconds)
    longest = dict[str, Execution]()
    for each in by_length:
        longest.setdefault(each.name, each)
    slow = list(longest.values())[:SLOWEST]
    if len(bars) <= SLOWEST or slow[0].seconds < _NOTICEABLE:
        return
    if slow[0].seconds < _LONGER * by_length[len(bars) // 2].seconds:
        return
    yield Text("")
    head = "  slowest: "
    line = Text(head, "dim")
    for each in slow:
        named = f"{visible(each.name)} {span(each.seconds)}" + (", " if each != slow[-1] else "")
        if line.cell_len > len(head) and line.cell_len + cell_len(named.rstrip()) > width:
            yield line
            line = Text(" " * len(head))
        line.append(named, "default")
    yield line


class _Drawing:
    """The widths of the columns, and the rows that fit them."""

    def __init__(
        self,
        view: RunView,
        found: list[Lane],
        picked: list[Execution | Gap],
        width: int,
        *,
        every_attempt: bool,
    ) -> None:
        self._view, self._lanes, self._every_attempt = view, found, every_attempt
        self._picked = {
            attempt: list(rows) for attempt, rows in groupby(picked, key=lambda row: row.attempt)
        }
        self._total = max(found[-1].start + found[-1].seconds, 0.001)
        self._name_width, self._bar_width, self._note_width = self._columns(picked, width)

    def _columns(self, picked: list[Execution | Gap], width: int) -> tuple[int, int, int]:
        """The widths of names, bars and notes: what they need, in what the others leave."""
        bars = [each for each in picked if isinstance(each, Execution)]
        heads = [self._head(lane).cell_len for lane in self._lanes]
        names = heads + [cell_len(visible(each.name)) for each in bars]
        seconds = [each.seconds for each in bars] + [lane.seconds for lane in self._lanes]
        took = [len(span(each)) for each in seconds]
        notes = [_note(each).cell_len for each in bars]
        notes += [len(outcome_text(lane.attempt.outcome)) for lane in self._lanes]
        room = max(0, width - _SIGN - max(took) - 4 * _GAP)
        note = min(max(notes), max(_SHORTEST_NOTE, room // 4))
        name = min(max(names), max(_SHORTEST_NAME, room * 2 // 5))
        bar = max(_SHORTEST_BAR, room - note - name)
        note = max(0, min(note, room - bar - name))
        return max(1, min(name, room - bar - note)), bar, note

    def table(self, *, is_running: bool) -> Table:
        """All rows: of each attempt a heading, what was done before it, then its executions."""
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_column(width=_SIGN)
        table.add_column(width=self._name_width, no_wrap=True, overflow="ellipsis")
        table.add_column(width=self._bar_width, no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(width=self._note_width, no_wrap=True, overflow="ellipsis")
        shown = [lane for lane in self._lanes if self._is_shown(lane.number)]
        if len(shown) < len(self._lanes):
            table.add_row("", Text(f"... {len(self._lanes) - len(shown)} attempts ...", "dim"))
        for lane in shown:
            is_last = lane.number == len(self._lanes)
            if len(self._lanes) > 1 or lane.attempt.outcome != "completed":
                table.add_row(*self._heading(lane, is_running=is_running and is_last))
            if before := lane.attempt.before:
                table.add_row(
                    Text("↺", "dim"), Text(f"{plural(before, 'step')} done before", "dim")
                )
            for row in self._picked.get(lane.number, ()):
                table.add_row(*self._row(row))
        return table

    def _is_shown(self, attempt: int) -> bool:
        """The last attempts are, and those that were cut short in a step."""
        if self._every_attempt or attempt > len(self._lanes) - ATTEMPTS:
            return True
        rows = self._picked.get(attempt, ())
        return any(isinstance(row, Execution) and row.status in LEFT_OPEN for row in rows)

    def _heading(self, lane: Lane, *, is_running: bool) -> list[Text]:
        started = lane.attempt.started
        outcome = "running" if is_running else outcome_text(lane.attempt.outcome)
        is_killed = lane.attempt.ended is None and not is_running
        left, length = self._place(lane.start, lane.seconds)
        end = ("✗", "red") if is_killed else ("┤", "dim")
        line = Text.assemble(
            " " * left, ("├" + "─" * (length - 2), "dim") if length > 1 else "", end
        )
        said = Text(outcome, "red" if is_killed else _colour(outcome))
        if started.dropped:
            said.append(f", dropped {plural(started.dropped, 'torn byte')}")
        return [Text(""), self._head(lane), line, Text(span(lane.seconds), "dim"), said]

    def _head(self, lane: Lane) -> Text:
        at = local_time(lane.attempt.started.at)
        day = "" if at[:10] == local_time(self._view.state.created.at)[:10] else at[5:10] + " "
        return Text.assemble((f"attempt {lane.number}", "bold"), f"  {day}{at[11:19]}")

    def _row(self, row: Execution | Gap) -> list[Text]:
        if isinstance(row, Gap):
            return [Text(""), Text(f"... {row.left_out:,} more ...", "dim")]
        colour, sign = LOOKS[row.status]
        left, length = self._place(row.start, row.seconds)
        bar = Text.assemble(" " * left, (_BARS.get(row.status, "━") * length, colour))
        if row.pause:
            end = sum(self._place(row.start, row.seconds + row.pause))
            bar.append(_PAUSE * (end - left - length), "dim")
        took = Text(span(row.seconds) if row.status not in LEFT_OPEN else "", "")
        name = cut_inside(visible(row.name), self._name_width)
        return [Text(sign, colour), Text(name), bar, took, _note(row)]

    def _place(self, start: float, seconds: float) -> tuple[int, int]:
        """The first cell and the number of cells, one at the least."""
        left = min(int(start / self._total * self._bar_width), self._bar_width - 1)
        length = round((start + seconds) / self._total * self._bar_width) - left
        return left, max(1, min(length, self._bar_width - left))


def _note(row: Execution) -> Text:
    if row.error is not None:
        return Text(visible(row.error.type), "red")
    if row.result is not None:
        return Text(size(size_of(row.result)), "dim")
    return Text(row.status, _colour(row.status))


def _colour(status: str) -> str:
    return LOOKS.get(status, ("yellow", ""))[0]
