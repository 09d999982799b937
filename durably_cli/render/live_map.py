"""How far a map is that executes here: what the live line says of it. Times are monotonic."""

from __future__ import annotations

import math
from typing import NamedTuple

from durably_cli.values.durations import span

_WINDOW, _SOONEST = 5.0, 1.0
"""The seconds over which the rate is taken, and how soon there is one."""


class HowFar(NamedTuple):
    """`share` is how much of all is done, None if nobody knows; `more` the rest, by weight."""

    share: float | None
    of: str
    more: tuple[str, ...]


class LiveMap:
    """A map, as its items begin and end.

    How many are done is what it reports, twice a second, and what has ended since: it knows of
    items that were replayed, and of those that are scopes.
    """

    def __init__(self, name: str, now: float, total: int | None = None) -> None:
        self.name = name
        self._done = 0
        self._total: float | None = total
        self._is_reported = False
        self._open: dict[str, int] = {}
        self._pausing = set[str]()
        self._failed = set[str]()
        self._mark = self._mark_before = (now, 0)

    def begun(self, item: str) -> None:
        """A call of this item begins."""
        self._pausing.discard(item)
        self._open[item] = self._open.get(item, 0) + 1

    def ended(self, item: str, now: float, *, goes_on: bool, has_failed: bool) -> None:
        """A call of this item has ended, and so has the item, unless it goes on."""
        self._close(item)
        if has_failed:
            self._failed.add(item)
        if not goes_on:
            self._done += 1
            self._measure(now)

    def pauses(self, item: str) -> None:
        """A call of this item has failed, and is tried again."""
        self._close(item)
        self._pausing.add(item)

    def replayed(self) -> None:
        """What an item gave before is handed back."""
        self._pass_over(1)

    def reported(self, done: int, total: float | None, now: float) -> None:
        """The map says itself how far it is."""
        if not self._is_reported:
            self._is_reported = True
            self._pass_over(max(0, done - self._done - len(self._open)))
        self._done, self._total = max(self._done, done), total
        self._measure(now)

    def how_far(self, now: float) -> HowFar:
        """What there is to say now."""
        done, total = self._done, self._total
        before, done_before = self._mark_before
        took = now - before
        rate = (done - done_before) / took if took >= _SOONEST else 0.0
        more = []
        if self._failed:
            more.append(f"✗ {len(self._failed):,} failed")
        if rate and total is not None and total > done:
            more.append(f"{_rest((total - done) / rate)} left")
        if rate:
            more.append(f"{_number(rate)}/s")
        if self._open:
            more.append(f"{len(self._open):,} in flight")
        if self._pausing:
            more.append(f"{len(self._pausing):,} pausing")
        of = f"{done:,}" + (" items" if total is None else f"/{total:,.0f}")
        return HowFar(min(1.0, done / total) if total else None, of, tuple(more))

    def _close(self, item: str) -> None:
        left = self._open.get(item, 0) - 1
        if left > 0:
            self._open[item] = left
        else:
            self._open.pop(item, None)

    def _measure(self, now: float) -> None:
        if now - self._mark[0] >= _WINDOW:
            self._mark_before, self._mark = self._mark, (now, self._done)

    def _pass_over(self, items: int) -> None:
        """Count items as done that took no time here: they say nothing of the rate."""
        self._done += items
        self._mark = self._mark[0], self._mark[1] + items
        self._mark_before = self._mark_before[0], self._mark_before[1] + items


def _rest(seconds: float) -> str:
    """In whole seconds, for a guess, never none."""
    return f"{max(1, math.ceil(seconds))} s" if seconds < 59 else span(seconds)


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
