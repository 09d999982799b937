"""Operations side by side, in threads that last as long as there is something for them to do."""

from __future__ import annotations

import threading
import time
from threading import get_ident

from durably_cli.steps.child import leave_as_child
from durably_cli.steps.driver import Waits
from durably_cli.steps.idle import ITEMS_SAY
from durably_cli.steps.operation import All
from durably_cli.steps.schedule import Outcomes, Pace, Schedule, Task
from durably_cli.steps.stop import Stop
from durably_cli.steps.thread_driver import ThreadDriver
from durably_cli.system import signals
from durably_cli.system.process import this

_LOOKS_SECONDS, _LONGEST_WAIT = 0.05, 1.0
"""How often it is looked whether the attempt is to end, and by a thread whether there is more."""


def in_threads(name: str, work: All, driver: ThreadDriver, stop: Stop) -> Outcomes:
    """What came of each operation of this map that was begun, by its place: its result, or Raised.

    Raises what the iterable of the operations does, and the cause of a stop; when all that had
    begun have ended, but for threads that take longer than a moment after a stop.
    """
    workers = _Workers(work, driver, stop)
    with driver.scope.idle.step(name, workers.waits_until):
        workers.perform_all()
    stop.check()
    if workers.schedule.error is not None:
        raise workers.schedule.error
    return workers.schedule.outcomes


class _Workers:
    """The threads: each that has found something to do begins another one, if there is more."""

    def __init__(self, work: All, driver: ThreadDriver, stop: Stop) -> None:
        self._work, self._driver, self._stop = work, driver, stop
        self._most = work.at_once
        self.schedule = Schedule(
            work.operations,
            Pace(work.per_second),
            goes_on=work.goes_on,
            is_replayed=lambda operation: operation.name in driver.past.results,
            seconds_until=stop.seconds_until,
        )
        self._changed, self._are_over = threading.Condition(), threading.Event()
        self._threads = self._idle = 0
        self._busy = set[int]()
        """The threads that perform something."""

    @signals.shielded
    def perform_all(self) -> None:
        """Return when everything has ended, or when a stop has given it time enough.

        The handler's own thread does nothing else: the user's code, which gives the items too, may
        block for ever.
        """
        end = None
        self._begin_thread()
        while True:
            try:
                if self._are_over.wait(_LOOKS_SECONDS):
                    return
                if self._stop.cause is not None:
                    end = end or time.monotonic() + self._stop.patience
                    if time.monotonic() > end:
                        return
                    self._let_nothing_begin(self._stop.cause)
            except BaseException as error:  # a Ctrl-C; what has begun comes to its end
                self._let_nothing_begin(error)

    def waits_until(self) -> str | None:
        """Do all open items wait, each in a step that does, and is no thread about to begin one?"""
        busy = {*self._busy}
        is_all = len(busy) == self.schedule.in_flight == self._threads - self._idle
        all_wait = is_all and not self.schedule.has_parked
        return ITEMS_SAY if all_wait and busy <= self._driver.scope.idle.threads else None

    def _let_nothing_begin(self, error: BaseException) -> None:
        """Say so, unless one is about to begin, which looks itself."""
        if self._changed.acquire(timeout=_LOOKS_SECONDS):
            try:
                self.schedule.stop(error)
                self._changed.notify_all()
            finally:
                self._changed.release()

    def _begin_thread(self) -> None:
        self._threads += 1
        try:
            threading.Thread(target=self._work_on, daemon=True).start()
        except RuntimeError as error:  # the machine lets there be no more of them
            self._threads -= 1
            self._most = self._threads
            if not self._threads:
                self.schedule.stop(error)
                self._are_over.set()

    def _work_on(self) -> None:
        with self._changed:
            found = self._next()
        while found is not None:
            found = self._performed(found) if isinstance(found, Task) else self._waited(found)

    def _performed(self, task: Task) -> Task | float | None:
        """Perform it, as far as it goes without a wait; the next one."""
        owner, thread = this.pid, get_ident()
        self._busy.add(thread)
        outcome = self._driver.outcome_of(task.operation, task.plan)
        self._busy.discard(thread)
        leave_as_child(owner, outcome)
        with self._changed:
            if type(outcome) is Waits:
                self.schedule.park(task, *outcome)
            else:
                self.schedule.ended(task, outcome)
                if self._stop.cause is None:
                    self._work.ended(self.schedule.done, self.schedule.failed)
            if self._idle:  # to notify nobody takes 0.6 us
                self._changed.notify_all()
            return self._next()

    def _waited(self, seconds: float) -> Task | float | None:
        with self._changed:
            self._idle += 1
            self._changed.wait(min(seconds, _LONGEST_WAIT))
            self._idle -= 1
            return self._next()

    def _next(self) -> Task | float | None:
        """What this thread does next; it ends if there is nothing."""
        if self._stop.cause is not None:
            self.schedule.stop(self._stop.cause)
        try:
            found = self.schedule.next()
            if isinstance(found, Task) and self._is_room_beside(found):
                self._begin_thread()
        except BaseException as error:  # of what the user's key= or items raise, past all care
            self.schedule.stop(error)
            found = None
        if found is None:
            self._threads -= 1
            if not self._threads:
                self._are_over.set()
        return found

    def _is_room_beside(self, task: Task) -> bool:
        """Is there something for another thread to do, while this one performs that?"""
        if self._idle or self._threads >= self._most or self.schedule.is_replayed(task):
            return False
        return self.schedule.has_more()
