"""Lanes on a terminal: a character says what a lane did in that time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from durably_cli.render.colours import LOOKS
from durably_cli.render.lanes import Block
from durably_cli.render.map_items import AGAIN

ROWS = 12
"""How many rows lanes take at the most; of more lanes several share one."""

_AGAIN = ("yellow", "!")
_LEVELS = "▁▂▄▆"
_BUSY, _BEGINS = "━", "╺"


def most_rows(lanes: int) -> int:
    """How many lanes share a row."""
    return max(1, math.ceil(lanes / ROWS))


def is_dense(lanes: Sequence[Sequence[Block]], seconds: float) -> bool:
    """Are calls too short, for cells of so many seconds, to be seen one by one?"""
    blocks = [block for lane in lanes for block in lane]
    usual = sum(block.busy for block in blocks) / max(1, sum(block.calls for block in blocks))
    return most_rows(len(lanes)) > 1 or usual < 2 * seconds


def lane_cells(
    lanes: Sequence[Sequence[Block]], seconds: float, width: int, *, dense: bool
) -> Text:
    """These lanes as one row of cells, each of so many seconds.

    A failure has the sign of one, whatever else was done in its time. Each call is a bar; or, if
    they are `dense`, a cell is the higher the busier the lanes were.
    """
    busy, signs = [0.0] * width, dict[int, tuple[str, str]]()
    begins = [0] * width
    for block in (block for lane in lanes for block in lane):
        first = min(int(block.start / seconds), width - 1)
        last = min(int(block.end / seconds), width - 1)
        share = min(1.0, block.busy / (block.end - block.start)) if block.end > block.start else 1.0
        for cell in range(first, last + 1):
            inside = min(block.end, (cell + 1) * seconds) - max(block.start, cell * seconds)
            busy[cell] += max(inside, 0.0) * share
        begins[first] += block.calls
        if block.kind == "failed":  # where it was seen
            signs[last] = LOOKS[block.kind]
        elif block.kind == AGAIN:
            signs.setdefault(last, _AGAIN)
        elif block.kind != "completed":
            for cell in range(first, last + 1):
                signs.setdefault(cell, LOOKS[block.kind])
    row = Text()
    for cell in range(width):
        if cell in signs:
            colour, sign = signs[cell]
            row.append(sign, colour)
        elif not busy[cell] and not begins[cell]:
            row.append(" ")
        elif dense:
            share = busy[cell] / (seconds * len(lanes))
            row.append(_LEVELS[min(int(share * len(_LEVELS)), len(_LEVELS) - 1)], "green")
        else:
            row.append(_BEGINS if begins[cell] else _BUSY, "green")
    return row
