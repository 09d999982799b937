"""When each step of a run was executed, attempt by attempt: what a picture of it is drawn from.

The axis counts seconds of execution: each attempt begins where the one before it left off, and the
time between them, in which nothing was done, is left out. Pure; all is read off the events.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.journal.events import ErrorInfo, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Attempt
from durably_cli.journal.step_events import (
    DATABASE,
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import scopes_of
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.system import clock
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.render.map_items import MapItems


class Stretch(NamedTuple):
    """One attempt on the axis."""

    number: int
    attempt: Attempt
    start: float
    seconds: float


class CallBegins(NamedTuple):
    """A call of a step's function begins here."""

    attempt: int
    name: str


class Execution(NamedTuple):
    """One call of a step's function, from `start` for `seconds` on the axis.

    `status` is completed, failed, running, or one of LEFT_OPEN; `result` the JSON of one that
    completed; `pause` how long the attempt then waited to try again, in seconds, if it does
    (`is_tried_again`). That of a map has its items `inside`.
    """

    attempt: int
    name: str
    status: str
    start: float
    seconds: float
    at: str
    result: Json | None = None
    error: ErrorInfo | None = None
    pause: float = 0.0
    is_tried_again: bool = False
    is_map: bool = False
    inside: MapItems | None = None

    @property
    def end(self) -> float:
        """Where it ends on the axis."""
        return self.start + self.seconds


_KILLED = ("in doubt", "cut short")
_CANCELLED, _WAITS = "cancelled", "waiting"
LEFT_OPEN = (*_KILLED, _CANCELLED, _WAITS)
"""What came to nothing in its attempt: a call whose process was killed, a transaction's, one that
was cancelled, and a wait that goes on in the next one.
"""


class Gap(NamedTuple):
    """How many executions were left out, all of one attempt."""

    attempt: int
    left_out: int


_ENDS = (StepCompleted, StepFailed, StepRetrying, StepCancelled)


def stretches(attempts: Sequence[Attempt], now: str | None = None) -> list[Stretch]:
    """The attempts on the axis; with `now`, the last of them is still at it."""
    found: list[Stretch] = []
    start = 0.0
    for number, attempt in enumerate(attempts, 1):
        is_running = now is not None and number == len(attempts)
        seconds = seconds_of(attempt, now if is_running else None)
        found.append(Stretch(number, attempt, start, seconds))
        start += seconds
    return found


def calls(
    events: Iterable[Event], found: Sequence[Stretch], *, is_running: bool = False
) -> Iterator[CallBegins | Execution]:
    """Every call of a step's function, in the order of their ends; those without one last.

    CallBegins says that there will be one.
    """
    number = 0
    begun = dict[str, StepStarted | MapStarted | StepWaiting]()
    for event in events:
        if isinstance(event, (StepStarted, MapStarted, StepWaiting)):
            begun[event.name] = event
            if number and isinstance(event, StepStarted):
                yield CallBegins(number, event.name)
        elif isinstance(event, _ENDS) and number:
            yield _ended(event, begun.pop(event.name, None), found[number - 1])
        elif isinstance(event, RunStarted):
            if number:
                yield from _all_left_open(begun, found[number - 1])
            waits = [each for each in begun.values() if isinstance(each, StepWaiting)]
            begun = {each.name: each._replace(at=event.at) for each in waits}  # they go on in it
            number += 1
    if number:
        yield from _all_left_open(begun, found[number - 1], "running" if is_running else "")


def pick(
    found: Iterable[Execution], *, head: int, tail: int, slowest: int, failures: int
) -> list[Execution | Gap]:
    """The first and the last ones, the slowest, and those that did not complete.

    In order, with the number of those that were left out in their places. It keeps no more than
    it shows, however many there are; one whose process was killed is always shown.
    """
    picked: dict[int, Execution] = {}
    slow: list[tuple[float, int]] = []
    slow_ones: dict[int, Execution] = {}
    last: deque[tuple[int, Execution]] = deque(maxlen=tail)
    per_attempt: dict[int, list[int]] = {}
    for index, each in enumerate(found):
        bounds = per_attempt.setdefault(each.attempt, [index, index])
        bounds[1] = index + 1
        if index < head or each.status in _KILLED:
            picked[index] = each
        elif each.status != "completed" and failures:
            failures -= 1
            picked[index] = each
        last.append((index, each))
        slow_ones[index] = each
        heapq.heappush(slow, (each.seconds, index))
        if len(slow) > slowest:
            del slow_ones[heapq.heappop(slow)[1]]
    picked |= slow_ones | dict(last)
    return list(_with_gaps(picked, per_attempt))


def seconds_of(attempt: Attempt, until: str | None = None) -> float:
    """How long an attempt took, as far as it left word, or until now."""
    return seconds_between(attempt.started.at, until or attempt.last)


def seconds_between(start: str, end: str) -> float:
    """The seconds from one journalled time to another, never less than none."""
    return max(0.0, round((clock.parse_time(end) - clock.parse_time(start)).total_seconds(), 3))


def _ended(
    event: StepCompleted | StepFailed | StepRetrying | StepCancelled,
    begun: StepStarted | MapStarted | StepWaiting | None,
    stretch: Stretch,
) -> Execution:
    at = begun.at if begun else event.at
    start = stretch.start + seconds_between(stretch.attempt.started.at, at)
    seconds = event.ms / 1000
    if isinstance(begun, StepWaiting):  # in this attempt, of several maybe
        seconds = min(seconds, seconds_between(at, event.at))
    if isinstance(event, StepCompleted):
        done = Execution(stretch.number, event.name, "completed", start, seconds, at, event.result)
        return done._replace(is_map=True) if isinstance(begun, MapStarted) else done
    if isinstance(event, StepCancelled):
        is_map = isinstance(begun, MapStarted)
        ended = Execution(stretch.number, event.name, _CANCELLED, start, seconds, at)
        return ended._replace(is_map=is_map)
    failed = Execution(stretch.number, event.name, "failed", start, seconds, at, error=event.error)
    if isinstance(begun, MapStarted):
        return failed._replace(is_map=True)
    if isinstance(event, StepRetrying):
        left = stretch.start + stretch.seconds - start - seconds
        pause = min(seconds_between(event.at, event.until), max(0.0, left))
        return failed._replace(pause=pause, is_tried_again=True)
    return failed


def _all_left_open(
    begun: dict[str, StepStarted | MapStarted | StepWaiting], stretch: Stretch, status: str = ""
) -> Iterator[Execution]:
    """Maps behind the items that are inside of them."""
    for each in sorted(begun.values(), key=lambda each: isinstance(each, MapStarted)):
        waits = isinstance(each, StepWaiting)
        if isinstance(each, MapStarted):
            inside = [other for other in begun.values() if each.name in scopes_of(other.name)]
            waits = bool(inside) and all(isinstance(other, StepWaiting) for other in inside)
        yield _left_open(each, stretch, _WAITS if waits else status)


def _left_open(
    begun: StepStarted | MapStarted | StepWaiting, stretch: Stretch, status: str = ""
) -> Execution:
    if not status:  # a transaction, and a map, whose items say what is in doubt
        is_in_doubt = isinstance(begun, StepStarted) and begun.in_doubt != DATABASE
        status = _KILLED[not is_in_doubt]
    start = stretch.start + seconds_between(stretch.attempt.started.at, begun.at)
    seconds = max(0.0, stretch.start + stretch.seconds - start)
    is_map = isinstance(begun, MapStarted)
    return Execution(stretch.number, begun.name, status, start, seconds, begun.at, is_map=is_map)


def _with_gaps(
    picked: dict[int, Execution], per_attempt: dict[int, list[int]]
) -> Iterator[Execution | Gap]:
    for attempt, (first, stop) in per_attempt.items():
        expected = first
        for index in sorted(index for index in picked if first <= index < stop):
            if index > expected:
                yield Gap(attempt, index - expected)
            yield picked[index]
            expected = index + 1
        if stop > expected:
            yield Gap(attempt, stop - expected)
