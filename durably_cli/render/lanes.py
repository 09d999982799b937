"""Lanes: what ran side by side, packed into as many rows as ran at once.

An item takes the first lane that is free, and holds it until it has ended. Blocks that begin within
a `grain` of each other are one block: a lane of a million calls takes no more memory.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple


class Block(NamedTuple):
    """So many calls of one kind in a lane, one behind the other; `busy` is what they took."""

    kind: str
    start: float
    end: float
    busy: float
    calls: int


class Lanes:
    """The lanes of one map in one attempt."""

    def __init__(self, grain: float) -> None:
        self.lanes: list[list[Block]] = []
        self._grain = grain
        self._free: list[int] = []
        self._held: dict[str, int] = {}
        self._last: list[dict[str, int]] = []

    def take(self, item: str) -> None:
        """This item holds a lane from now on."""
        if item in self._held:
            return
        if self._free:
            self._held[item] = heapq.heappop(self._free)
        else:
            self._held[item] = len(self.lanes)
            self.lanes.append([])
            self._last.append({})

    def leave(self, item: str) -> None:
        """Its lane is free for the next one."""
        if item in self._held:
            heapq.heappush(self._free, self._held.pop(item))

    def draw(self, item: str, kind: str, start: float, seconds: float) -> None:
        """A call of the item, which holds a lane."""
        number = self._held[item]
        blocks, last = self.lanes[number], self._last[number]
        place = last.get(kind)
        end = start + seconds
        if place is not None and start < blocks[place].start + self._grain:
            before = blocks[place]
            end, busy = max(before.end, end), before.busy + seconds
            blocks[place] = Block(kind, before.start, end, busy, before.calls + 1)
        else:
            last[kind] = len(blocks)
            blocks.append(Block(kind, start, end, seconds, 1))
