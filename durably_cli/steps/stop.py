"""Stopping an attempt, whatever the cause."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import get_ident

from durably_cli.errors import Abort, Suspended
from durably_cli.system import clock, signals
from durably_cli.values.untrusted import origin_of

_LOOKS_SECONDS = 0.1
"""How often a wait looks whether it is to end."""

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
    so that no `finally` of the handler takes one, and waits end with it.
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
    """Is the attempt to end once all that is left of it waits?"""

    def __init__(self) -> None:
        self.waiting: dict[int, str] = {}
        """The threads that do nothing but wait, and until when."""

    def stop(self, cause: Abort) -> None:
        """End the attempt; the first cause is the one."""
        if self.cause is None:
            self.cause, self.thread = cause, get_ident()
            if self.wake is not None:
                self.wake()

    def check(self) -> None:
        """Raise the cause, if there is one."""
        if self.cause is not None:
            self.was_raised = True
            raise self.cause if self.raised_in_tasks is None else self.raised_in_tasks

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

    def suspend(self, until: str) -> None:
        """End the attempt, which waits until then at the least. Raises."""
        self.stop(Suspended("" if until == NO_TIME else until))
        self.check()

    def seconds_until(self, at: str, longest: float) -> float:
        """The seconds that are left of such a wait."""
        return min((clock.parse_time(at) - clock.utc_now()).total_seconds(), longest)


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
