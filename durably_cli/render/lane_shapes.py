"""Lanes as shapes, for SVG: a path a kind of call, however many there are of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from durably_cli.render.lanes import Block
from durably_cli.render.map_items import AGAIN
from durably_cli.render.timeline import LEFT_OPEN

_HEIGHT, _HIGHEST, _LOWEST = 180.0, 14.0, 1.5
_SMALLEST, _SEEN, _SPACE = 0.8, 2.5, 0.6
_CROSS = 3.5


class Shape(NamedTuple):
    """The outlines of all calls of a kind; `crosses` are a sign on each, if it needs one."""

    look: str
    outlines: str
    crosses: str = ""


def lane_height(lanes: int) -> float:
    """How high a lane is, of so many."""
    return min(_HIGHEST, max(_LOWEST, _HEIGHT / max(lanes, 1)))


def lane_shapes(
    lanes: Sequence[Sequence[Block]], x: Callable[[float], float], top: float
) -> Iterator[Shape]:
    """What to draw of the lanes below `top`, those last that are to be seen over others.

    A call is never narrower than is needed to see it, above all one that did not complete.
    """
    height = lane_height(len(lanes))
    inner = height - (2 if height > 6 else 0.3)
    drawn: dict[str, list[str]] = {}
    crosses: dict[str, list[str]] = {}
    for number, lane in enumerate(lanes):
        y = round(top + number * height, 1)
        for block in lane:
            look = "doubt" if block.kind in LEFT_OPEN else block.kind
            left, right = x(block.start), x(block.end)
            least = _SMALLEST if block.kind == "completed" else _SEEN
            width = max(right - left - (_SPACE if right - left > 2 else 0), least)
            outline = f"M{left:g} {y:g}h{width:.1f}v{inner:.1f}h-{width:.1f}z"
            drawn.setdefault(look, []).append(outline)
            if look in ("failed", AGAIN):
                middle, centre = left + width / 2 - _CROSS, y + inner / 2 - _CROSS
                arm = f"l{2 * _CROSS:g} {2 * _CROSS:g}"
                back = f"m-{2 * _CROSS:g} 0l{2 * _CROSS:g} -{2 * _CROSS:g}"
                cross = f"M{middle:.1f} {centre:.1f}{arm}"
                crosses.setdefault(look, []).append(cross + (back if look == "failed" else ""))
    for look in sorted(drawn, key=_ORDER.index):
        yield Shape(look, "".join(drawn[look]), "".join(crosses.get(look, ())))


_ORDER = ("completed", "running", AGAIN, "doubt", "failed")
"""What is drawn over what."""
