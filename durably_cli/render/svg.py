"""A run's timeline as one SVG file: no script, no font and no link from outside.

It draws what the terminal draws: a block for every attempt, attempt below attempt, a row for every
execution of a step, all on one axis of seconds of execution. Names stand on the left, times on the
right, and only bars and lines between them: no line runs through a label.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TextIO
from xml.sax.saxutils import escape

from durably_cli.engines.run_view import RunView
from durably_cli.journal.state import Status
from durably_cli.journal.step_names import item_around
from durably_cli.render.axis import round_times
from durably_cli.render.lane_shapes import lane_height, lane_shapes
from durably_cli.render.map_items import MapItems
from durably_cli.render.maps import executions
from durably_cli.render.record import summary
from durably_cli.render.timeline import (
    LEFT_OPEN,
    Execution,
    Gap,
    Stretch,
    pick,
    seconds_between,
    stretches,
)
from durably_cli.render.words import Times, cut_inside, outcome_text
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

HEAD, TAIL, SLOWEST, FAILURES = 30, 15, 5, 20
"""How many executions of a long run are drawn."""

WIDTH = 900
_EDGE, _LEFT, _RIGHT, _ROW, _TOP = 24, 290, 160, 24, 56
_BARS = WIDTH - _LEFT - _RIGHT
_NAME_LENGTH = 29
_INDENT, _LINE = 16, 17

_STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; } .dim { fill: #59636e; } .right { text-anchor: end; }
.strong { font-weight: 600; } .paper { fill: #ffffff; stroke: #d1d9e0; } .axis { stroke: #d1d9e0; }
.pause { stroke: #59636e; stroke-dasharray: 2 3; }
.lane { fill: #f6f8fa; } .completed { fill: #1f883d; } .failed { fill: #cf222e; }
.running { fill: #0969da; } .replayed { fill: #8250df; } rect.replayed { fill: #c9b2f0; }
.map { opacity: .45; } .again { fill: #bf8700; } .cross { fill: none; stroke-width: 1.8; }
.halo { fill: none; stroke: #ffffff; stroke-width: 4; stroke-linecap: round; }
.cross.failed { stroke: #cf222e; } .cross.again { stroke: #9a6700; }
.doubt { fill: none; stroke: #9a6700; stroke-dasharray: 3 2; } .killed { stroke: #cf222e; }
text.doubt { fill: #9a6700; stroke: none; } text.killed { fill: #cf222e; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .dim { fill: #9198a1; } .paper { fill: #0d1117; stroke: #3d444d; }
  .axis { stroke: #3d444d; } .lane { fill: #151b23; }
  .completed { fill: #3fb950; } .failed { fill: #f85149; } .running { fill: #4493f8; }
  .replayed { fill: #ab7df8; } rect.replayed { fill: #533d7a; }
  .again { fill: #d29922; } .halo { stroke: #0d1117; }
  .cross.failed { stroke: #f85149; } .cross.again { stroke: #d29922; }
  .doubt { stroke: #d29922; } .killed { stroke: #f85149; }
  text.doubt { fill: #d29922; } text.killed { fill: #f85149; }
}
"""


def write_svg(view: RunView, out: TextIO) -> None:
    """The run as it is now, as an SVG document."""
    is_running = view.status is Status.RUNNING
    found = stretches(view.state.attempts, clock.now() if is_running else None)
    picked = pick(
        executions(view.events, found, is_running=is_running),
        head=HEAD,
        tail=TAIL,
        slowest=SLOWEST,
        failures=FAILURES,
    )
    drawing = _Drawing(found, Times(view.state.created.at))
    body = [
        line
        for stretch in found
        for line in drawing.attempt(stretch, picked, is_running=is_running)
    ]
    height = drawing.y + 32
    columns = summary(view)
    title = f"{columns['job']}  {short(view.run_id)}  {columns['status']}"
    took = span(columns["seconds"] or 0.0)
    said = (
        f"{took}, {plural(view.state.completed_steps, 'step')} in {plural(len(found), 'attempt')}"
    )
    out.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_shown(title)}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>\n'
        f'<text class="title" x="{_EDGE}" y="32">{_shown(cut_inside(title, 55))}</text>\n'
        f'<text class="dim right" x="{WIDTH - _EDGE}" y="32">{_shown(said)}</text>\n'
    )
    out.writelines(line + "\n" for line in (*body, *drawing.times()))
    out.write("</svg>\n")


class _Drawing:
    """Where the next row goes, and the scale of the axis."""

    def __init__(self, found: list[Stretch], times_of_day: Times) -> None:
        self.y = _TOP
        self.stretches, self.times_of_day = found, times_of_day
        self.total = max(found[-1].start + found[-1].seconds, 0.001) if found else 1.0

    def x(self, seconds: float) -> float:
        """Where a moment stands on the axis."""
        return round(_LEFT + min(seconds / self.total, 1.0) * _BARS, 1)

    def times(self) -> Iterator[str]:
        """The round times of the axis, below all."""
        for seconds, label in round_times(self.total):
            place = f'x="{self.x(seconds)}" y="{self.y + 12}"'
            yield f'<text class="dim" {place} text-anchor="middle">{label}</text>'

    def attempt(
        self, stretch: Stretch, picked: list[Execution | Gap], *, is_running: bool
    ) -> Iterator[str]:
        """An attempt: a line of text, then its extent, how it ended and its executions."""
        rows = list(_rows(row for row in picked if row.attempt == stretch.number))
        is_last = stretch.number == len(self.stretches)
        is_killed = stretch.attempt.ended is None and not (is_running and is_last)
        yield from self._heading(stretch, is_running=is_running and is_last, is_killed=is_killed)
        before = stretch.attempt.before
        top, height = self.y, bool(before) * _ROW + sum(map(_height, rows))
        if height:
            left, right = self.x(stretch.start), self.x(stretch.start + stretch.seconds)
            extent = f'width="{max(right - left, 1):g}" height="{height}"'
            yield f'<rect class="lane" x="{left}" y="{top}" {extent}/>'
            for seconds, _ in round_times(self.total):
                yield _line("axis", self.x(seconds), top, height)
        if before:
            went_on = bool(rows) or stretch.attempt.outcome == Status.COMPLETED
            yield from self._before(stretch, before, is_under_way=went_on)
        for row in rows:
            if isinstance(row, MapItems):
                yield from self._lanes(row)
            else:
                yield from self._gap(row) if isinstance(row, Gap) else self._bar(row)
            self.y += _height(row)
        if is_killed and height:
            yield _line(
                "killed", self.x(stretch.start + stretch.seconds), top, height, ' stroke-width="2"'
            )
        self.y += 14

    def _heading(self, stretch: Stretch, *, is_running: bool, is_killed: bool) -> Iterator[str]:
        started = stretch.attempt.started.at
        said = self.times_of_day.whole(started)
        if stretch.number == 1:
            said += self.times_of_day.offset
        else:
            ended = self.stretches[stretch.number - 2].attempt.last
            said += f", {span(seconds_between(ended, started))} later"
        outcome = "running" if is_running else outcome_text(stretch.attempt.outcome)
        look = "killed" if is_killed else "dim"
        sign = "✗ " if is_killed else ""
        name = f'<tspan class="strong">attempt {stretch.number}</tspan>'
        when = f'<tspan class="dim" dx="12">{said}</tspan>'
        yield f'<text x="{_EDGE}" y="{self.y + 16}">{name}{when}</text>'
        yield self._took(sign + _shown(outcome), look)
        self.y += _ROW

    def _before(self, stretch: Stretch, before: int, *, is_under_way: bool) -> Iterator[str]:
        """What this attempt needed not do again, as wide as what that saved."""
        saved = stretch.attempt.ms_before / 1000
        right = self.x(stretch.start)
        left = max(_LEFT, right - saved / self.total * _BARS)
        text = f"{plural(before, 'step')} done before"
        yield self._named(f"↺ {text}", "replayed")
        title = f"<title>{text}, in {span(saved)}</title>"
        yield self._rect("replayed", left, max(right - left, 2), title)
        if is_under_way:
            yield self._took(f"saved {span(saved)}", "replayed strong")
        self.y += _ROW

    def _gap(self, row: Gap) -> Iterator[str]:
        yield self._named(f"… {row.left_out:,} more …", "dim")

    def _bar(self, row: Execution) -> Iterator[str]:
        look = "doubt" if row.status in LEFT_OPEN else row.status
        left, right = self.x(row.start), self.x(row.start + row.seconds)
        took = row.status if row.status in (*LEFT_OPEN, "running") else span(row.seconds)
        error = f", {row.error.type}: {row.error.message}" if row.error else ""
        said = row.status if took == row.status else f"{row.status}, {took}"
        title = f"<title>{_shown(f'{row.name}: {said}{error}')}</title>"
        item = item_around(row.name)
        name = row.name if item is None else row.name.removeprefix(item.scope)
        more = row.inside.note() if row.inside and row.inside.is_few else ""
        yield self._named(name, "name", is_inside=item is not None, more=more)
        width = max(right - left, 3)
        kind = f"{look} map" if row.is_map else look
        yield self._rect(kind, min(left, _LEFT + _BARS - width), width, title)
        if row.pause:
            x1, x2, y = left + width, self.x(row.start + row.seconds + row.pause), self.y + 12
            yield f'<line class="pause" x1="{x1:g}" x2="{max(x1, x2):g}" y1="{y}" y2="{y}"/>'
        took = f"✗ {took}" if row.status == "failed" else took
        yield self._took(took, look if look in ("doubt", "failed", "running") else "dim")

    def _lanes(self, inside: MapItems) -> Iterator[str]:
        """What ran side by side, many items of it, and beside it what it adds up to."""
        for shape in lane_shapes(inside.lanes, self.x, self.y + 5):
            yield f'<path class="{shape.look}" d="{shape.outlines}"/>'
            if shape.crosses:
                yield f'<path class="halo" d="{shape.crosses}"/>'
                yield f'<path class="cross {shape.look}" d="{shape.crosses}"/>'
        for number, fact in enumerate(inside.facts()):
            text = _shown(cut_inside(visible(fact), _NAME_LENGTH - 1))
            y = self.y + 16 + number * _LINE
            yield f'<text class="dim" x="{_EDGE + 12 + _INDENT}" y="{y}">{text}</text>'

    def _named(self, name: str, look: str, *, is_inside: bool = False, more: str = "") -> str:
        left, length = _EDGE + 12, _NAME_LENGTH
        if is_inside:
            left, length = left + _INDENT, length - _INDENT // 8
        text = cut_inside(visible(name), length)
        if more and len(text) + len(more) + 2 <= length:
            more = f'<tspan class="dim" dx="12">{_shown(more)}</tspan>'
        else:
            more = ""
        return f'<text class="{look}" x="{left}" y="{self.y + 16}">{_shown(text)}{more}</text>'

    def _rect(self, look: str, left: float, width: float, title: str) -> str:
        place = f'x="{left:g}" y="{self.y + 5}" width="{width:g}" height="14" rx="2"'
        return f'<rect class="{look}" {place}>{title}</rect>'

    def _took(self, text: str, look: str) -> str:
        place = f'x="{WIDTH - _EDGE}" y="{self.y + 16}"'
        return f'<text class="{look} right" {place}>{text}</text>'


def _rows(picked: Iterable[Execution | Gap]) -> Iterator[Execution | Gap | MapItems]:
    """Each row, and behind a map what is inside: a row a call if there are few, else its lanes."""
    for row in picked:
        yield row
        if isinstance(row, Execution) and row.inside is not None:
            yield from row.inside.rows if row.inside.is_few else [row.inside]


def _height(row: Execution | Gap | MapItems) -> int:
    if not isinstance(row, MapItems):
        return _ROW
    lanes = math.ceil(len(row.lanes) * lane_height(len(row.lanes)))
    return max(lanes, len(row.facts()) * _LINE) + 10


def _line(look: str, x: float, top: float, height: float, more: str = "") -> str:
    return f'<line class="{look}" x1="{x}" x2="{x}" y1="{top}" y2="{top + height}"{more}/>'


def _shown(text: str) -> str:
    return escape(visible(text), {'"': "&quot;"})
