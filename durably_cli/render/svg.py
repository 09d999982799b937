"""A run's timeline as one SVG file: no script, no font and no link from outside.

It draws what the terminal draws: a block for every attempt, attempt below attempt, a row for every
execution of a step, all on one axis of seconds of execution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TextIO
from xml.sax.saxutils import escape

from durably_cli.engines.local.view import RunView
from durably_cli.journal.state import Status
from durably_cli.render.record import summary
from durably_cli.render.timeline import Execution, Gap, Lane, counted, executions, lanes, pick
from durably_cli.render.words import outcome_text, span, visible
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural

HEAD, TAIL, SLOWEST, FAILURES = 30, 15, 5, 20
"""How many executions of a long run are drawn."""

WIDTH = 900
_LEFT, _RIGHT, _ROW, _TOP = 280, 100, 22, 64
_BARS = WIDTH - _LEFT - _RIGHT
_NAME_LENGTH = 30
_STEPS = (1, 2, 5)

_STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; } .dim { fill: #59636e; } .right { text-anchor: end; }
.paper { fill: #ffffff; } .axis { stroke: #d1d9e0; } .lane { fill: #f6f8fa; }
.completed { fill: #1a7f37; } .failed { fill: #cf222e; } .running { fill: #0969da; }
.doubt { fill: none; stroke: #9a6700; stroke-dasharray: 3 2; } .killed { stroke: #cf222e; }
text.doubt { fill: #9a6700; stroke: none; } text.killed { fill: #cf222e; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .dim { fill: #9198a1; } .paper { fill: #0d1117; }
  .axis { stroke: #3d444d; } .lane { fill: #151b23; }
  .completed { fill: #3fb950; } .failed { fill: #f85149; }
  .running { fill: #4493f8; } .doubt { stroke: #d29922; } .killed { stroke: #f85149; }
  text.doubt { fill: #d29922; } text.killed { fill: #f85149; }
}
"""


def write_svg(view: RunView, out: TextIO) -> None:
    """The run as it is now, as an SVG document."""
    is_running = view.status is Status.RUNNING
    found = lanes(view.state.attempts, clock.now() if is_running else None)
    done: Counter[int] = Counter()
    picked = pick(
        counted(executions(view.events(), found, is_running=is_running), done),
        head=HEAD,
        tail=TAIL,
        slowest=SLOWEST,
        failures=FAILURES,
    )
    drawing = _Drawing(found, done)
    body = [line for lane in found for line in drawing.lane(lane, picked, is_running=is_running)]
    height = drawing.y + 40
    columns = summary(view)
    title = f"{columns['job']}  {short(view.run_id)}  {columns['status']}"
    took = span(columns["seconds"] or 0.0)
    said = f"{took}, {plural(columns['steps'], 'step')} in {plural(len(found), 'attempt')}"
    out.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_shown(title)}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>\n'
        f'<text class="title" x="20" y="32">{_shown(title)}</text>\n'
        f'<text class="dim right" x="{WIDTH - 20}" y="32">{_shown(said)}</text>\n'
    )
    out.writelines(line + "\n" for line in drawing.axis(height))
    out.writelines(line + "\n" for line in body)
    out.write("</svg>\n")


class _Drawing:
    """Where the next row goes, and the scale of the axis."""

    def __init__(self, found: list[Lane], done: Counter[int]) -> None:
        self.y = _TOP
        self.done = done
        self.total = max(found[-1].start + found[-1].seconds, 0.001) if found else 1.0
        self.last = found[-1].number if found else 0

    def x(self, seconds: float) -> float:
        """Where a moment stands on the axis."""
        return round(_LEFT + min(seconds / self.total, 1.0) * _BARS, 1)

    def axis(self, height: int) -> Iterator[str]:
        """Lines at round times, with the times below."""
        step = _round_up(self.total / 8)
        ticks = int(self.total / step + 1e-9)
        for number in range(ticks + 1):
            x = self.x(number * step)
            yield f'<line class="axis" x1="{x}" x2="{x}" y1="48" y2="{height - 30}"/>'
            label = "0" if number == 0 else span(number * step)
            yield f'<text class="dim" x="{x}" y="{height - 12}" text-anchor="middle">{label}</text>'

    def lane(self, lane: Lane, picked: list[Execution | Gap], *, is_running: bool) -> Iterator[str]:
        """An attempt: its extent and how it ended, then its executions."""
        rows = [row for row in picked if row.attempt == lane.number]
        is_killed = lane.attempt.ended is None and not (is_running and lane.number == self.last)
        outcome = outcome_text(lane.attempt.outcome)
        if is_running and lane.number == self.last:
            outcome = "running"
        before = sum(self.done[number] for number in range(1, lane.number))
        if before:
            outcome += f", {plural(before, 'step')} done before"
        left, right = self.x(lane.start), self.x(lane.start + lane.seconds)
        height = (len(rows) + 1) * _ROW
        yield (
            f'<rect class="lane" x="{left}" y="{self.y}" width="{max(right - left, 1):g}" '
            f'height="{height}"/>'
        )
        at = lane.attempt.started.at
        label = f"attempt {lane.number}  {at[:10]} {at[11:19]}"
        yield f'<text class="dim" x="20" y="{self.y + 15}">{label}</text>'
        anchor = 'text-anchor="end" ' if left > WIDTH * 2 / 3 else ""
        x = right - 4 if anchor else left + 4
        yield f'<text class="dim" {anchor}x="{x}" y="{self.y + 15}">{_shown(outcome)}</text>'
        top = self.y
        for row in rows:
            self.y += _ROW
            yield from self._gap(row) if isinstance(row, Gap) else self._bar(row)
        if is_killed:
            line = f'x1="{right}" x2="{right}" y1="{top}" y2="{top + height}"'
            yield f'<line class="killed" {line} stroke-width="2"/>'
            yield f'<text class="killed" x="{right + 4}" y="{top + 15}">✗</text>'
        self.y += _ROW + 12

    def _gap(self, row: Gap) -> Iterator[str]:
        yield f'<text class="dim" x="32" y="{self.y + 15}">… {row.left_out:,} more …</text>'

    def _bar(self, row: Execution) -> Iterator[str]:
        look = "doubt" if row.status == "in doubt" else row.status
        left, right = self.x(row.start), self.x(row.start + row.seconds)
        width = max(right - left, 3)
        took = row.status if row.status in ("in doubt", "running") else span(row.seconds)
        error = f", {row.error.type}: {row.error.message}" if row.error else ""
        title = f"<title>{_shown(f'{row.name}: {row.status}, {took}{error}')}</title>"
        name = visible(row.name)
        if len(name) > _NAME_LENGTH:
            name = name[: _NAME_LENGTH - 1] + "…"
        yield f'<text x="32" y="{self.y + 15}">{_shown(name)}</text>'
        yield (
            f'<rect class="{look}" x="{left}" y="{self.y + 5}" width="{width:g}" height="12" '
            f'rx="2">{title}</rect>'
        )
        text = look if look in ("doubt", "failed") else "dim"
        place = f'x="{left + width + 6:g}" y="{self.y + 15}"'
        yield f'<text class="{text}" {place}>{_shown(took)}</text>'


def _round_up(seconds: float) -> float:
    """The next round number of seconds: 1, 2 or 5 times a power of ten; or of minutes and hours."""
    unit = 0.001
    for larger in (60.0, 3600.0, 86400.0):
        if seconds > larger / 2:
            unit = larger
    while True:
        for factor in _STEPS:
            if factor * unit >= seconds:
                return factor * unit
        unit *= 10


def _shown(text: str) -> str:
    return escape(visible(text), {'"': "&quot;"})
