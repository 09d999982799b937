"""An async handler is run on an event loop of its own, to the end of it and of its steps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from durably_cli.errors import StepMisused
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.steps.scope import GRACE_SECONDS
from durably_cli.steps.stop import Stop
from durably_cli.system import signals

_LOOKS_SECONDS = 0.02


def run_on_loop(act: Callable[[], Any], driver: LoopDriver, stop: Stop) -> Any:
    """What comes of it, on a new loop of the policy that the job has chosen.

    When the attempt is stopped, what is in flight has a moment, and the task of the handler is
    cancelled. Threads of the loop's default executor are waited for at the end, but for that case:
    they may sleep for hours.
    """
    runner = asyncio.Runner()
    try:
        with signals.left_to_others():
            return runner.run(_Handling(driver, stop).until_end(act))
    finally:
        if stop.cause is None:
            runner.close()
        else:
            runner.get_loop().close()
            asyncio.set_event_loop(None)
        stop.cancelled = None


class _Handling:
    def __init__(self, driver: LoopDriver, stop: Stop) -> None:
        self._driver, self._stop = driver, stop
        self._is_ending = False

    async def until_end(self, act: Callable[[], Any]) -> Any:
        """What comes of it, when the steps that it has begun have ended."""
        self._loop = self._driver.loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._stop.cancelled = asyncio.CancelledError
        self._stop.wake = lambda: self._loop.call_soon_threadsafe(self._hear)
        try:
            self._stop.check()
            given = act()
            value = await given if inspect.isawaitable(given) else given
        except BaseException as error:
            for name in await self._end():
                error.add_note(_never_awaited(name))
            raise
        if names := await self._end():
            raise StepMisused(_never_awaited(names[0]))
        return value

    async def _end(self) -> list[str]:
        """Return when no step is in flight any more; the names of those that nobody has awaited."""
        self._is_ending = True
        scope, end = self._driver.scope, None
        scope.refuse_more()
        await asyncio.sleep(0)  # tasks that were made begin
        while scope.in_flight or self._driver.threads.busy:
            if self._stop.cause is not None:
                end = end or time.monotonic() + GRACE_SECONDS
                if time.monotonic() > end:
                    break
            await asyncio.sleep(_LOOKS_SECONDS)
        self._stop.wake = None
        if self._stop.cause is not None:
            await self._end_others()
        return self._driver.never_awaited()

    async def _end_others(self) -> None:
        """Cancel what there is of other tasks, as the end of a runner does, but for its threads."""
        if others := asyncio.all_tasks() - {self._task}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        await self._loop.shutdown_asyncgens()

    def _hear(self) -> None:
        """The attempt is stopped."""
        self._stop.is_awake = True
        self._cancel_by(time.monotonic() + GRACE_SECONDS)

    def _cancel_by(self, end: float) -> None:
        """Cancel the handler when no step is in flight any more, or then."""
        if self._is_ending or self._task is None:
            return
        if self._driver.scope.in_flight and time.monotonic() < end:
            self._loop.call_later(_LOOKS_SECONDS, self._cancel_by, end)
        else:
            self._task.cancel()


def _never_awaited(name: str) -> str:
    return (
        f"step {name!r} was asked for, and nobody has awaited it, so it was not executed: "
        f"write await in front of it"
    )
