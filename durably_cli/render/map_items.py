"""What ran inside of a map, item by item: some calls, the lanes, and what they add up to."""

from __future__ import annotations

from array import array
from collections import Counter

from durably_cli.journal.step_names import item_around
from durably_cli.render.lanes import Block, Lanes
from durably_cli.render.timeline import LEFT_OPEN, CallBegins, Execution
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural

FEW_ITEMS, FEW_CALLS = 12, 30
"""How many items, and calls of them, are few: each has a row of its own."""

AGAIN = "again"
"""The kind of a block of a call that failed and was tried again."""

_FAILURES = 20
_BYTES = 8_000_000
"""How much of results is held in memory, to be shown."""


class MapItems:
    """The items of a map in one attempt. `most` is how many calls are held, the first ones.

    `steps_left` says, of items that are scopes, how many calls of them are still to begin.
    """

    def __init__(self, grain: float, steps_left: Counter[str], most: int) -> None:
        self.calls: list[Execution] = []
        self.failures: list[Execution] = []
        self.items = self.tried_again = 0
        self.counts = Counter[str]()
        self.longest: tuple[float, str] = (0.0, "")
        self.start: float | None = None
        self._lanes, self._steps_left, self._most = Lanes(grain), steps_left, most
        self._room = _BYTES
        self._number_of_calls = 0
        self._took = array("d")
        self._failed = set[str]()
        self._parked = set[str]()
        self._begun: dict[str, float] = {}
        self._open = Counter[str]()

    def begin(self, item: str, begun: CallBegins) -> None:
        """A call of this item, or of a step in its scope, begins."""
        if item in self._parked:
            self._parked.discard(item)
        elif item not in self._open:
            self.items += 1
        self._open[item] += 1
        if item != begun.name:
            self._steps_left[item] -= 1
        self._lanes.take(item)

    def end(self, item: str, call: Execution) -> None:
        """That call has ended, or the attempt."""
        if item not in self._open:  # its begin is not in the journal
            self.begin(item, CallBegins(call.attempt, item))
        kind = AGAIN if call.is_tried_again else call.status
        self._lanes.draw(item, kind, call.start, call.seconds)
        self.start = call.start if self.start is None else min(self.start, call.start)
        begun = self._begun.setdefault(item, call.start)
        self._hold(call)
        if kind == AGAIN:
            self.tried_again += 1
        elif kind == "failed":
            self._failed.add(item)
            if len(self.failures) < _FAILURES:
                self.failures.append(call)
        elif kind != "completed":
            self.counts[kind] += 1
        self._open[item] -= 1
        if self._open[item] or (item != call.name and self._steps_left[item] > 0):
            return
        del self._open[item]
        self._lanes.leave(item)
        if item == call.name and kind == AGAIN:
            self._parked.add(item)
        elif kind not in (*LEFT_OPEN, "running"):
            took = call.seconds if item == call.name else call.end - begun
            self._took.append(took)
            self.longest = max(self.longest, (took, item))
        del self._begun[item]

    @property
    def lanes(self) -> list[list[Block]]:
        """What ran one behind the other; as many as ran at once."""
        return self._lanes.lanes

    @property
    def failed(self) -> int:
        """How many items have failed, or a step of theirs."""
        return len(self._failed)

    @property
    def is_few(self) -> bool:
        """Has each call a row of its own?"""
        return self.items <= FEW_ITEMS and self._number_of_calls <= FEW_CALLS

    @property
    def rows(self) -> list[Execution]:
        """The calls that are held, an item behind the other, in the order of their starts."""
        first: dict[str, float] = {}
        for call in self.calls:
            item = item_around(call.name) or call.name
            first[item] = min(first.get(item, call.start), call.start)
        return sorted(
            self.calls,
            key=lambda call: (first[item := item_around(call.name) or call.name], item, call.start),
        )

    @property
    def left_out(self) -> int:
        """How many calls are not held."""
        return self._number_of_calls - len(self.calls)

    def note(self) -> str:
        """`5,000 items, 7 failed`."""
        return plural(self.items, "item") + (f", {self.failed:,} failed" if self.failed else "")

    def facts(self) -> list[str]:
        """How many items there were, what became of them, how many at once, and how long."""
        found = [plural(self.items, "item")]
        found += [f"{self.failed:,} failed"] if self.failed else []
        found += [f"{count:,} {kind}" for kind, count in sorted(self.counts.items())]
        found += [f"{self.tried_again:,} tried again"] if self.tried_again else []
        found.append(f"{len(self.lanes):,} at once")
        if self._took:
            median = sorted(self._took)[len(self._took) // 2]
            found.append(f"median {span(median)}")
            found.append(f"longest {span(self.longest[0])} ({self.longest[1]})")
        return found

    def _hold(self, call: Execution) -> None:
        self._number_of_calls += 1
        if len(self.calls) >= self._most or self._room <= 0:
            return
        self._room -= len(call.result or "") + len(call.error.traceback if call.error else "")
        self.calls.append(call)
