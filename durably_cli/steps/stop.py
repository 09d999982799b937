"""Stopping an attempt, whatever the cause."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import get_ident

from durably_cli.errors import (
    Abort,
    AttemptTimedOut,
    Cancelled,
    Interrupted,
    Stopped,
    Suspended,
)
from durably_cli.system import clock, signals
from durably_cli.values.untrusted import origin_of

_LOOKS_SECONDS = 0.1
"""How often a wait looks whether it is to end."""

_SAT_OUT_SECONDS = 0.5
"""A wait that is over so soon suspends nothing: another process would take as long to begin."""

_MOMENT_SECONDS = 0.3

NO_TIME = clock.format_time(datetime.max.replace(tzinfo=UTC))
"""Until then waits what has no deadline."""


def raise_stop(error: BaseException) -> None:
    """Raise the stop that an exception of the user's code is, or came of; return if it is none.

    Python and libraries make exceptions of their own of a Ctrl-C: `__set_name__` up to Python 3.11,
    pydantic's serializers, an import that was cut short.
    """
    seen = set[int]()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        if issubclass(type(one), (Abort, KeyboardInterrupt)):
            raise one
        seen.add(id(one))
        one = origin_of(one)
    signals.raise_if_stopped()


class Stop:
    """Whether an attempt is to end, and why.

    What is in flight comes to its end. After that every step of the attempt raises the cause again,
    so that no `finally` of the handler takes one, and waits end with it. With it end the runs that
    are a step of this one, whatever threads they are in.
    """

    cause: Abort | None = None
    thread = 0
    """The thread that said so, which has it raised already."""
    wake: Callable[[], object] | None = None
    """Called by whoever stops the attempt of an event loop, in any thread: it ends itself."""
    look: Callable[[], object] | None = None
    """Called four times a second, in another thread, while the attempt goes on."""
    is_awake = False
    """Has the loop heard of the stop?"""
    raised_in_tasks: type[BaseException] | None = None
    """What stands in for the cause in the tasks of a loop: a Ctrl-C there would end the loop."""
    was_raised = False
    """Was the handler refused something for it? Then what it returns is not the whole."""
    suspends = False
    """Is the attempt to end once all that is left of it waits? Of a run that is a step of another
    one, that one says."""
    outer: Stop | None = None
    """That of the run of which this one is a step."""

    finishes_steps = False
    """Has what is in flight all the time that it takes to come to its end when a signal ends it?"""

    def __init__(self) -> None:
        self.inner: dict[str, Stop] = {}
        """Those of the runs that are a step of this one, by its name, while they are executed."""
        self.waits_until: Callable[[], str | None] = lambda: None
        """When the first wait is over, if nothing else is done in the attempt now."""

    def stop(self, cause: Abort) -> None:
        """End the attempt, and those of the runs that are its steps; the first cause is the one."""
        self._end_by(cause)
        for each in [*self.inner.values()]:
            each.stop(_of_inner(cause))

    @property
    def patience(self) -> float:
        """The seconds that what is in flight has to come to its end."""
        is_patient = self.finishes_steps and isinstance(self.cause, Interrupted)
        return math.inf if is_patient else _MOMENT_SECONDS

    @property
    def ends_what_is_in_flight(self) -> bool:
        """Is what is in flight to end, too?"""
        return self.cause is not None and self.patience < math.inf

    def begin_inner(self, name: str, inner: Stop) -> None:
        """A run begins that is this step: it ends with this one."""
        inner.outer, self.inner[name] = self, inner
        if self.cause is not None:
            inner.stop(_of_inner(self.cause))

    def leave_inner(self, name: str) -> None:
        """Nobody waits for the run that is this step any more: it stays as it is."""
        if (inner := self.inner.get(name)) is not None:
            inner.stop(Stopped())

    def _end_by(self, cause: Abort) -> None:
        if self.cause is None:
            self.cause, self.thread = cause, get_ident()
            with suppress(RuntimeError):  # the loop is closed
                if (wake := self.wake) is not None:
                    wake()

    def check(self) -> None:
        """Raise the cause, if there is one."""
        if self.cause is not None:
            self.was_raised = True
            raise self.cause if self.raised_in_tasks is None else self.raised_in_tasks

    def check_in_flight(self) -> None:
        """The same, for what is in flight."""
        if self.ends_what_is_in_flight:
            self.check()

    def wait_until(
        self,
        at: str,
        longest: float,
        ready: Callable[[], bool] | None = None,
        looks: Callable[[], object] = lambda: None,
    ) -> bool:
        """Let time pass up to this one, in UTC, or so many seconds, whichever is over first.

        False if something was `ready` before. `looks` is called again and again meanwhile.

        Raises the cause of a stop as soon as there is one. Both clocks are looked at again and
        again: the wall clock may be set back, and the other one stands still while a laptop is
        closed.
        """
        last = time.monotonic() + longest
        self.check()
        while (left := self.seconds_until(at, last - time.monotonic())) > 0:
            if ready is not None and ready():
                return False
            looks()
            time.sleep(min(left, _LOOKS_SECONDS))
            self.check()
        return True

    def suspend_if_all_wait(self) -> None:
        """End the attempt, if it may be suspended and all of it waits for long. Raises then.

        It is that of the run of which this one is a step, and so on: all of them end, or none.
        """
        first = self
        while first.outer is not None:
            first = first.outer
        if first.suspends and first.cause is None:
            first._suspend([*first._all_until()])
        self.check()

    def _all_until(self) -> Iterator[tuple[Stop, str]]:
        """Until when this one waits, and each inner one, the outer ones first; empty if not."""
        yield self, self.waits_until() or ""
        for each in [*self.inner.values()]:
            yield from each._all_until()

    def _suspend(self, found: list[tuple[Stop, str]]) -> None:
        """End all of these, if all wait for long: each says when its own first wait is over."""
        if all(until and self._is_long(until) for _, until in found):
            for each, until in found:
                each._end_by(Suspended("" if until == NO_TIME else until))

    def _is_long(self, until: str) -> bool:
        return self.seconds_until(until, math.inf) >= _SAT_OUT_SECONDS

    def seconds_until(self, at: str, longest: float) -> float:
        """The seconds that are left of such a wait."""
        return min((clock.parse_time(at) - clock.utc_now()).total_seconds(), longest)


def _of_inner(cause: Abort) -> Abort:
    """What ends a run that is a step of one that ends by this: some causes are of that one only."""
    of_both = isinstance(cause, (Cancelled, AttemptTimedOut, Interrupted, Suspended))
    return cause if of_both else Stopped()


class Abandoned(BaseException):
    """Raised in a call of a function that nobody waits for any more."""


is_abandoned: ContextVar[Callable[[], bool]] = ContextVar("abandoned", default=lambda: False)
"""Says so of the call that this code is of: its task on an event loop was cancelled."""


class StopInMemory(Stop):
    """The one of a `Step()` in memory, where no time passes."""

    def wait_until(
        self,
        at: str,
        longest: float,
        ready: Callable[[], bool] | None = None,
        looks: Callable[[], object] = lambda: None,
    ) -> bool:
        """Go on at once."""
        return ready is None or not ready()

    def seconds_until(self, at: str, longest: float) -> float:
        """None are."""
        return 0.0
