"""How long steps took: time in which several ran side by side counts once.

Items of a map run side by side, and steps of several threads and tasks do. What a replay of them
saves is not the sum of their times, but the time in which at least one of them ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from durably_cli.system import clock

Interval: TypeAlias = tuple[int, int]
"""From when to when a step ran, in milliseconds."""


def ran_until(at: str, ms: int) -> Interval:
    """That of a step which ended then, as events have it, and had taken so long."""
    end = _milliseconds(at)
    return end - ms, end


def ran_from(at: str, ms: int) -> Interval:
    """That of a step which began then, and took so long."""
    begin = _milliseconds(at)
    return begin, begin + ms


def _milliseconds(at: str) -> int:
    return round(clock.parse_time(at).timestamp() * 1000)


def time_in(steps: Iterable[Interval]) -> int:
    """In how many milliseconds at least one of these steps ran."""
    total, until = 0, None
    for begin, end in sorted(steps):
        if until is not None:
            begin = max(begin, until)
        total += max(0, end - begin)
        until = end if until is None else max(until, end)
    return total


class Spent:
    """The same, added up as events come; it holds what is in flight, and no step that has ended.

    A step that nothing runs beside counts as long as it took: no text of a time is read for it, and
    a clock that was set back between two steps changes nothing.
    """

    __slots__ = ("_in_flight", "_intervals", "_is_side_by_side", "_sum", "ms")

    def __init__(self) -> None:
        self.ms = 0
        self._sum = 0
        self._in_flight = set[str]()
        self._is_side_by_side = False
        """Has another step begun since none was in flight?"""
        self._intervals = list[Interval]()
        """When something has run since then, in their order."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spent):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def started(self, name: str) -> None:
        """A step, which is no map, is begun."""
        self._in_flight.add(name)
        if len(self._in_flight) > 1:
            self._is_side_by_side = True

    def completed(self, name: str, ms: int, at: str) -> None:
        """It has a result."""
        self._sum += ms
        self.ms += min(ms, self._added(*ran_until(at, ms))) if self._is_side_by_side else ms
        self.ended(name)

    def ended(self, name: str) -> None:
        """It has come to an end, with a result or without."""
        self._in_flight.discard(name)
        if not self._in_flight and self._is_side_by_side:
            self._is_side_by_side = False
            self._intervals.clear()

    def discarded(self, ms: int) -> None:
        """A result counts no more: its share of the time goes."""
        if self._sum > ms:
            self.ms -= round(ms * self.ms / self._sum)
            self._sum -= ms
        else:
            self.ms = self._sum = 0

    def next_attempt(self) -> None:
        """Whatever was in flight has come to its end."""
        self._in_flight.clear()
        self._is_side_by_side = False
        self._intervals.clear()

    def _added(self, begin: int, end: int) -> int:
        """How much of this time nothing else had run."""
        known = 0
        while self._intervals and self._intervals[-1][1] >= begin:
            first, last = self._intervals.pop()
            known += last - first
            begin, end = min(begin, first), max(end, last)
        self._intervals.append((begin, end))
        return max(0, end - begin - known)
