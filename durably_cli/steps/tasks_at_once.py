"""Operations side by side, in tasks of an event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from durably_cli.steps.cancelling import until_cancelled
from durably_cli.steps.driver import NOT_REPLAYED, Waits
from durably_cli.steps.idle import ITEMS_SAY
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.steps.operation import All, Raised
from durably_cli.steps.schedule import Outcomes, Pace, Schedule, Task
from durably_cli.steps.scope import context_of_items
from durably_cli.steps.stop import Stop

_LONGEST_WAIT = 1.0
"""How often it is looked whether a wait is over, for a clock may have been set."""

_REPLAYS = 200
"""Behind so many results that are replayed, other tasks have a turn."""


async def in_tasks(name: str, work: All, driver: LoopDriver, stop: Stop) -> Outcomes:
    """What came of each operation of this map that was begun, by its place: its result, or Raised.

    Raises what the iterable of the operations does, and the cause of a stop; when all that had
    begun have ended.
    """
    driver.threads.at_least(work.at_once)
    tasks = _Tasks(work, driver, stop)
    with driver.scope.idle.step(name, lambda: None if tasks.schedule.has_parked else ITEMS_SAY):
        await tasks.perform_all()
    stop.check()
    if tasks.schedule.error is not None:
        raise tasks.schedule.error
    return tasks.schedule.outcomes


class _Tasks:
    """The tasks: one for each operation that has no result yet."""

    def __init__(self, work: All, driver: LoopDriver, stop: Stop) -> None:
        self._work, self._driver, self._stop = work, driver, stop
        self.schedule = Schedule(
            work.operations,
            Pace(work.per_second),
            goes_on=work.goes_on,
            is_replayed=lambda operation: operation.name in driver.past.results,
            seconds_until=stop.seconds_until,
        )
        self._context = context_of_items()
        self._tasks = set[asyncio.Task[None]]()
        self._changed = asyncio.Event()

    async def perform_all(self) -> None:
        """Return when everything has ended; if this is cancelled, so is all of it."""
        try:
            while True:
                if self._stop.cause is not None:
                    self.schedule.stop(self._stop.cause)
                is_full = self.schedule.in_flight >= self._work.at_once
                found = float("inf") if is_full else self.schedule.next()
                if found is None:
                    return
                if not isinstance(found, Task):
                    await self._change_within(found)
                elif not self._is_replayed(found):
                    self._begin(found)
                elif self.schedule.done % _REPLAYS == 0:
                    await asyncio.sleep(0)
        except asyncio.CancelledError:
            await until_cancelled([*self._tasks], self._stop)
            raise

    def _is_replayed(self, found: Task) -> bool:
        """Hand back its result, if it has one; not if a file of it is another one now."""
        if not self.schedule.is_replayed(found):
            return False
        try:
            outcome = self._driver.found(found.operation)
        except BaseException as error:
            outcome = Raised(error)
        if outcome is NOT_REPLAYED:
            return False
        self._ended(found, outcome)
        return True

    def _begin(self, found: Task) -> None:
        task = asyncio.create_task(self._perform(found), context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, task: Task) -> None:
        """Perform it, as far as it goes without a wait."""
        try:
            outcome = await self._driver.outcome_of(task.operation, task.plan)
        except BaseException as error:  # of a cancellation, be it this one or the function's own
            self.schedule.ended(task, Raised(error))
            raise
        else:
            if type(outcome) is Waits:
                self.schedule.park(task, *outcome)
            else:
                self._ended(task, outcome)
        finally:
            self._changed.set()

    def _ended(self, task: Task, outcome: Any) -> None:
        self.schedule.ended(task, outcome)
        if self._stop.cause is None:
            self._work.ended(self.schedule.done, self.schedule.failed)

    async def _change_within(self, seconds: float) -> None:
        """Return when something has ended, or when so many seconds are over."""
        self._changed.clear()
        try:
            async with asyncio.timeout(min(seconds, _LONGEST_WAIT)):
                await self._changed.wait()
        except TimeoutError:
            pass
