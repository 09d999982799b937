"""A run's timeline on a terminal: a bar for every execution of a step, attempt below attempt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from durably_cli.engines.run_view import RunView
from durably_cli.journal.blobs import size_of
from durably_cli.journal.state import Status
from durably_cli.render.colours import LOOKS
from durably_cli.render.lane_cells import is_dense, lane_cells, most_rows
from durably_cli.render.map_items import FEW_CALLS, MapItems
from durably_cli.render.maps import executions
from durably_cli.render.timeline import (
    LEFT_OPEN,
    Execution,
    Gap,
    Stretch,
    pick,
    stretches,
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
_INDENT = " " * (_SIGN + 2 * _GAP)
_SHORTEST_NAME, _SHORTEST_BAR, _SHORTEST_NOTE = len("100 steps done before"), 8, 9
_PAUSE, _MAP = "┄", "─"
_BARS = {**dict.fromkeys(LEFT_OPEN, "╌"), "running": "━"}


def show_timeline(view: RunView, console: Console, *, every_step: bool = False) -> None:
    """The bars, on an axis of seconds of execution, and which steps were the slowest."""
    is_running = view.status is Status.RUNNING
    found = stretches(view.state.attempts, clock.now() if is_running else None)
    if not found:
        return
    most = sys.maxsize if every_step else FEW_CALLS
    picked = pick(
        executions(view.events, found, is_running=is_running, most=most),
        head=sys.maxsize if every_step else HEAD,
        tail=TAIL,
        slowest=SLOWEST,
        failures=FAILURES,
    )
    drawing = _Drawing(view, found, picked, console.width, every_step=every_step)
    for part in drawing.parts(is_running=is_running):
        console.print(part, no_wrap=True, overflow="ellipsis")
    bars = [each for each in picked if isinstance(each, Execution)]
    for line in _failures(bars, view):
        console.print(line, soft_wrap=True)
    for line in _slowest(drawing.calls, console.width):
        console.print(line, no_wrap=True, overflow="ellipsis")


def _failures(bars: list[Execution], view: RunView) -> Iterator[Text]:
    """What the failed ones said, in full; but not the one that is the error of the run."""
    causes = view.state.causes
    shown_elsewhere = causes[0] if len(causes) == 1 else None, len(view.state.attempts)
    is_first = True
    for row in bars:
        inside = row.inside
        failed = [*(inside.failures if inside else ()), row]
        for each in failed:
            if each.error is None or (each.name, each.attempt) == shown_elsewhere:
                continue
            if is_first:
                yield Text("")
            is_first = False
            error = f"{each.error.type}: {each.error.message}"
            where = f"{each.name}, attempt {each.attempt}: "
            yield Text.assemble(("  ✗ ", "red"), (visible(where), "dim"), visible(error))
        if inside and (more := inside.failed - len(inside.failures)) > 0:
            yield Text(f"  ... {more:,} more of {visible(row.name)} ...", "dim")


def _slowest(bars: list[Execution], width: int) -> Iterator[Text]:
    """Which took the longest, if there is a choice, and they took noticeably longer than others."""
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
    named = [f"{visible(each.name)} {span(each.seconds)}" for each in slow]
    yield from _in_lines("  slowest: ", named, width, "default")


def _in_lines(head: str, parts: list[str], width: int, style: str) -> Iterator[Text]:
    """These parts with commas between them; a line ends between two, never inside of one."""
    line = Text(head, "dim")
    for each in parts:
        text = each + (", " if each is not parts[-1] else "")
        if line.cell_len > len(head) and line.cell_len + cell_len(text.rstrip()) > width:
            yield line
            line = Text(" " * len(head))
        line.append(text, style)
    yield line


class _Drawing:
    """The widths of the columns, and the rows that fit them."""

    def __init__(
        self,
        view: RunView,
        found: list[Stretch],
        picked: list[Execution | Gap],
        width: int,
        *,
        every_step: bool,
    ) -> None:
        self._view, self._stretches, self._every_step = view, found, every_step
        self._picked = {
            attempt: list(rows) for attempt, rows in groupby(picked, key=lambda row: row.attempt)
        }
        self._total = max(found[-1].start + found[-1].seconds, 0.001)
        self.calls = [
            call
            for each in picked
            if isinstance(each, Execution)
            for call in (self._calls_of(each.inside) if each.inside else [each])
        ]
        self._width = width
        self._name_width, self._bar_width, self._note_width = self._columns(picked, width)

    def _columns(self, picked: list[Execution | Gap], width: int) -> tuple[int, int, int]:
        """The widths of names, bars and notes: what they need, in what the others leave."""
        bars = [each for each in picked if isinstance(each, Execution)]
        heads = [self._head(stretch).cell_len for stretch in self._stretches]
        names = heads + [cell_len(visible(each.name)) for each in (*bars, *self.calls)]
        seconds = [each.seconds for each in (*bars, *self.calls)] + [
            stretch.seconds for stretch in self._stretches
        ]
        took = self._took_width = max(len(span(each)) for each in seconds)
        notes = [_note(each).cell_len for each in (*bars, *self.calls)]
        notes += [len(outcome_text(stretch.attempt.outcome)) for stretch in self._stretches]
        room = max(0, width - _SIGN - took - 4 * _GAP)
        note = min(max(notes), max(_SHORTEST_NOTE, room // 4))
        name = min(max(names), max(_SHORTEST_NAME, room * 2 // 5))
        bar = max(_SHORTEST_BAR, room - note - name)
        note = max(0, min(note, room - bar - name))
        return max(1, min(name, room - bar - note)), bar, note

    def parts(self, *, is_running: bool) -> Iterator[Table | Text]:
        """Of each attempt a heading, what was done before it, then its executions."""
        table = self._table()
        shown = [stretch for stretch in self._stretches if self._is_shown(stretch.number)]
        if len(shown) < len(self._stretches):
            left_out = len(self._stretches) - len(shown)
            table.add_row("", Text(f"... {left_out} attempts ...", "dim"))
        for stretch in shown:
            is_last = stretch.number == len(self._stretches)
            if len(self._stretches) > 1 or stretch.attempt.outcome != "completed":
                table.add_row(*self._heading(stretch, is_running=is_running and is_last))
            if before := stretch.attempt.before:
                table.add_row(
                    Text("↺", "dim"), Text(f"{plural(before, 'step')} done before", "dim")
                )
            for row in self._picked.get(stretch.number, ()):
                table.add_row(*self._row(row))
                if isinstance(row, Execution) and row.inside is not None:
                    for each in self._rows_inside(row.name, row.inside):
                        table.add_row(*each)
                    if not row.inside.is_few:
                        yield table
                        table = self._table()
                        facts = [*map(visible, row.inside.facts())]
                        yield from _in_lines(_INDENT, facts, self._width, "dim")
        yield table

    def _table(self) -> Table:
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_column(width=_SIGN)
        table.add_column(width=self._name_width, no_wrap=True, overflow="ellipsis")
        table.add_column(width=self._bar_width, no_wrap=True)
        table.add_column(width=self._took_width, justify="right", no_wrap=True)
        table.add_column(width=self._note_width, no_wrap=True, overflow="ellipsis")
        return table

    def _calls_of(self, inside: MapItems) -> list[Execution]:
        """Those that have a row each."""
        return inside.rows if self._every_step or inside.is_few else []

    def _rows_inside(self, name: str, inside: MapItems) -> Iterator[list[Text]]:
        """The lanes, if there are many items, and the calls that are shown."""
        if not inside.is_few:
            seconds = self._total / self._bar_width
            dense = is_dense(inside.lanes, seconds)
            together = most_rows(len(inside.lanes))
            for first in range(0, len(inside.lanes), together):
                lanes = inside.lanes[first : first + together]
                number = f"{first + 1}" + (f"-{first + len(lanes)}" if len(lanes) > 1 else "")
                cells = lane_cells(lanes, seconds, self._bar_width, dense=dense)
                calls = sum(block.calls for lane in lanes for block in lane)
                label = f"  {'lane' if len(lanes) == 1 else 'lanes'} {number}"
                yield [Text(""), Text(label, "dim"), cells, Text(""), Text(f"{calls:,}", "dim")]
        for call in self._calls_of(inside):
            sign, _, *rest = self._row(call)
            item = f"  {visible(call.name.removeprefix(name))}"
            yield [sign, Text(cut_inside(item, self._name_width)), *rest]

    def _is_shown(self, attempt: int) -> bool:
        """The last attempts are, and those that were cut short in a step."""
        if self._every_step or attempt > len(self._stretches) - ATTEMPTS:
            return True
        rows = self._picked.get(attempt, ())
        return any(isinstance(row, Execution) and row.status in LEFT_OPEN for row in rows)

    def _heading(self, stretch: Stretch, *, is_running: bool) -> list[Text]:
        started = stretch.attempt.started
        outcome = "running" if is_running else outcome_text(stretch.attempt.outcome)
        is_killed = stretch.attempt.ended is None and not is_running
        left, length = self._place(stretch.start, stretch.seconds)
        end = ("✗", "red") if is_killed else ("┤", "dim")
        line = Text.assemble(
            " " * left, ("├" + "─" * (length - 2), "dim") if length > 1 else "", end
        )
        said = Text(outcome, "red" if is_killed else _colour(outcome))
        if started.dropped:
            said.append(f", dropped {plural(started.dropped, 'torn byte')}")
        return [Text(""), self._head(stretch), line, Text(span(stretch.seconds), "dim"), said]

    def _head(self, stretch: Stretch) -> Text:
        at = local_time(stretch.attempt.started.at)
        day = "" if at[:10] == local_time(self._view.state.created.at)[:10] else at[5:10] + " "
        return Text.assemble((f"attempt {stretch.number}", "bold"), f"  {day}{at[11:19]}")

    def _row(self, row: Execution | Gap) -> list[Text]:
        if isinstance(row, Gap):
            return [Text(""), Text(f"... {row.left_out:,} more ...", "dim")]
        colour, sign = LOOKS[row.status]
        left, length = self._place(row.start, row.seconds)
        drawn = _MAP if row.is_map else _BARS.get(row.status, "━")
        bar = Text.assemble(" " * left, (drawn * length, colour))
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
    if row.inside is not None:
        said = [row.inside.note()] if row.inside.is_few else []  # else a line below says it
        if not row.inside.is_few and row.inside.failed:
            said.append(f"{row.inside.failed:,} failed")
        if row.status not in ("completed", "failed"):
            said.append(row.status)
        return Text(", ".join(said), "red" if row.inside.failed else _colour(row.status))
    if row.error is not None:
        return Text(visible(row.error.type), "red")
    if row.result is not None:
        return Text(size(size_of(row.result)), "dim")
    return Text(row.status, _colour(row.status))


def _colour(status: str) -> str:
    return LOOKS.get(status, ("yellow", ""))[0]
