"""Which of many operations is performed next, when several are at once; who performs them is open.

An operation that waits holds no place: it is parked, with its plan, until its time has come. So a
map with a hundred items that pause has all its workers for the others.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from durably_cli.errors import StepMisused
from durably_cli.steps.operation import Operation, Plan, Raised, Wait


class Task(NamedTuple):
    """An operation, its place among all, and its plan if that was begun before.

    `has_result` is looked up once, when it is taken from the others: saves 0.4 us.
    """

    place: int
    operation: Operation
    plan: Plan | None = None
    has_result: bool = False


class Outcomes(Mapping[int, Any]):
    """What came of each operation that was begun, by its place: its result, or Raised.

    They are held in a list, which takes 8 bytes each: a dict and its numbers take 80.
    """

    def __init__(self) -> None:
        self._found = list[Any]()
        self._count = 0

    def __setitem__(self, place: int, outcome: Any) -> None:
        """This came of the one at this place, which ends once."""
        found = self._found
        if len(found) == place:  # as where each is replayed
            found.append(outcome)
        else:
            found.extend([_NOTHING] * (place + 1 - len(found)))
            found[place] = outcome
        self._count += 1

    def __getitem__(self, place: int) -> Any:
        if place >= len(self._found) or self._found[place] is _NOTHING:
            raise KeyError(place)
        return self._found[place]

    def in_order(self) -> Iterator[tuple[int, Any]]:
        """Each place with what came of it; to look each up takes 1 us."""
        return (each for each in enumerate(self._found) if each[1] is not _NOTHING)

    def __iter__(self) -> Iterator[int]:
        return (place for place, _ in self.in_order())

    def __len__(self) -> int:
        return self._count


_NOTHING = object()


class Pace:
    """How soon one operation may begin behind another: so many a second, and none before a time."""

    def __init__(self, per_second: float | None) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._free = 0.0

    def left(self, now: float) -> float:
        """The seconds until another one may begin."""
        return self._free - now

    def begin(self, now: float) -> None:
        """One begins now."""
        if self._gap:
            self._free = max(self._free, now) + self._gap

    def hold_back(self, until: float) -> None:
        """None begins before this."""
        self._free = max(self._free, until)


class Schedule:
    """The operations of an `All`, which one thread at a time may ask. Times are monotonic."""

    def __init__(
        self,
        operations: Iterable[Operation],
        pace: Pace,
        *,
        goes_on: bool,
        is_replayed: Callable[[Operation], bool],
        seconds_until: Callable[[str, float], float],
    ) -> None:
        self._waiting: Iterator[tuple[int, Operation]] = enumerate(operations)
        self._pace, self._goes_on, self._is_replayed = pace, goes_on, is_replayed
        self._next: Task | None = None
        self._parked: list[tuple[float, int, Wait, Task]] = []
        self._seconds_until = seconds_until
        self._has_all = self._has_failed = False
        self.in_flight = self.done = self.failed = 0
        """How many operations are performed now, have ended, and have failed."""
        self.outcomes = Outcomes()
        self.error: BaseException | None = None
        """What the iterable of operations raised, or what stopped one of them."""

    def next(self) -> Task | float | None:
        """What to perform now; how many seconds nothing is to do; None if all is done.

        The seconds may be over earlier: when an operation ends.
        """
        now = time.monotonic()
        parked = self._parked_task(now)
        if isinstance(parked, Task):
            return self._begun(parked, now)
        task = self._next_task()
        if task is not None:
            left = 0.0 if task.has_result else self._pace.left(now)
            if left <= 0:
                self._next = None
                return self._begun(task, now)
            return min(left, parked)
        if self._parked or self.in_flight:
            return parked
        return None

    def is_replayed(self, task: Task) -> bool:
        """Has it a result already?"""
        return task.plan is None and task.has_result

    def has_more(self) -> bool:
        """Is there another one that has not begun?"""
        return self._next_task() is not None

    @property
    def has_parked(self) -> bool:
        """Does one pause between two tries?"""
        return bool(self._parked)

    def ended(self, task: Task, outcome: Any) -> None:
        """This came of an operation."""
        self.in_flight -= 1
        self.done += 1
        self.outcomes[task.place] = outcome
        if type(outcome) is Raised:
            self._has_failed = True
            self.failed += 1
            if not isinstance(outcome.error, Exception) or isinstance(outcome.error, StepMisused):
                self.stop(outcome.error)  # which is of no item
            elif not self._goes_on:  # what pauses goes on with the next attempt
                self._drop_parked()

    def park(self, task: Task, plan: Plan, wait: Wait) -> None:
        """An operation waits; all others too, if that holds them back."""
        self.in_flight -= 1
        due = time.monotonic() + self._seconds_until(wait.until, wait.longest)
        if wait.holds_back:
            self._pace.hold_back(due)
        if self.error is not None or (self._has_failed and not self._goes_on):
            plan.close()
            return
        heapq.heappush(self._parked, (due, task.place, wait, task._replace(plan=plan)))

    def stop(self, error: BaseException) -> None:
        """Nothing more begins."""
        self.error = self.error or error
        self._drop_parked()
        self._next, self._has_all = None, True

    def _drop_parked(self) -> None:
        for *_, task in self._parked:
            if task.plan is not None:
                task.plan.close()
        self._parked = []

    def _begun(self, task: Task, now: float) -> Task:
        self.in_flight += 1
        if not task.has_result:
            self._pace.begin(now)
        return task

    def _parked_task(self, now: float) -> Task | float:
        """The one whose time has come, or in how many seconds that of the first one comes."""
        if not self._parked:
            return float("inf")
        due, _, wait, _ = self._parked[0]
        # The wall clock counts as well: the other one stands still while a laptop is closed.
        left = self._seconds_until(wait.until, due - now)
        left = max(left, self._pace.left(now))
        return heapq.heappop(self._parked)[-1] if left <= 0 else left

    def _next_task(self) -> Task | None:
        if self._has_failed and not self._goes_on:
            return None
        if self._next is None and not self._has_all:
            try:
                found = next(self._waiting, None)
            except BaseException as error:  # of a generator of the user's
                self.stop(error)
                return None
            self._has_all = found is None
            if found is not None:
                place, operation = found
                self._next = Task(place, operation, None, self._is_replayed(operation))
        return self._next
