"""An async handler is run on an event loop of its own, to the end of it and of its steps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from durably_cli.errors import Abort, StepMisused
from durably_cli.steps.cancelling import until_cancelled
from durably_cli.steps.child import leave_as_child
from durably_cli.steps.held_up import HeldUp
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.steps.operation import Raised
from durably_cli.steps.stop import Stop
from durably_cli.system import signals
from durably_cli.system.process import this

_LOOKS_SECONDS = 0.02

_AGAIN_SECONDS = 1.0
"""How often a handler that goes on behind a stop is cancelled again: it may have swallowed it."""


def run_on_loop(
    act: Callable[[], Any],
    driver: LoopDriver,
    stop: Stop,
    warn: Callable[[str, str | None], object],
) -> Any:
    """What comes of it, on a new loop of the policy that the job has chosen.

    When the attempt is stopped, what is in flight has a moment, and the task of the handler is
    cancelled. Threads of the loop's default executor are waited for at the end, but for that case:
    they may sleep for hours. `warn` says a line of a step, or of none.
    """
    runner = asyncio.Runner()
    try:
        with signals.left_to_stop():
            return runner.run(_Handling(driver, stop, warn).until_end(act))
    finally:
        if stop.cause is None:
            runner.close()
        else:
            runner.get_loop().close()
            asyncio.set_event_loop(None)
        stop.wake = stop.look = stop.raised_in_tasks = None


class _Handling:
    """A handler on its loop, in the task that calls `until_end`."""

    def __init__(
        self, driver: LoopDriver, stop: Stop, warn: Callable[[str, str | None], object]
    ) -> None:
        self._driver, self._stop, self._warn = driver, stop, warn
        self._is_ending = False
        self._left_by: BaseException | None = None

    async def until_end(self, act: Callable[[], Any]) -> Any:
        """What comes of it, when the steps that it has begun have ended."""
        self._loop = self._driver.loop = asyncio.get_running_loop()
        self._task = self._driver.task = asyncio.current_task()
        self._driver.leave = self._leave
        self._stop.raised_in_tasks = asyncio.CancelledError
        self._stop.look = HeldUp(self._driver, self._warn).look
        self._stop.wake = lambda: self._loop.call_soon_threadsafe(self._wake)
        self._loop.set_exception_handler(self._say)
        owner = this.pid
        try:
            self._stop.check()
            given = act()
            value = await given if inspect.isawaitable(given) else given
            leave_as_child(owner, value)
        except BaseException as error:
            leave_as_child(owner, Raised(error))
            for name in await self._end(error):
                error.add_note(self._never_awaited(name))
            if self._left_by is not None:
                raise self._left_by from None
            raise
        if names := await self._end():
            raise StepMisused(self._never_awaited(names[0]))
        if self._left_by is not None:
            raise self._left_by
        return value

    async def _end(self, error: BaseException | None = None) -> list[str]:
        """Return when no step is in flight any more; the names of those that nobody has awaited.

        The steps of a handler that has returned come to their end. Those of one that has raised are
        cancelled, but for what runs in threads.
        """
        self._is_ending = True
        self._driver.scope.refuse_more()
        if error is None:
            await asyncio.sleep(0)  # tasks that were made begin
            await self._wait_while(lambda: self._driver.scope.in_flight)
        if error is not None or self._stop.cause is not None:
            await self._end_others()
        await self._wait_while(
            lambda: self._driver.threads.busy, is_short=isinstance(error, asyncio.CancelledError)
        )
        return self._driver.never_awaited()

    async def _wait_while(
        self, is_going_on: Callable[[], object], *, is_short: bool = False
    ) -> None:
        """Wait; only for a moment if it `is_short`, or when the attempt is stopped."""
        end = None
        while is_going_on():
            if is_short or self._stop.cause is not None:
                end = end or time.monotonic() + self._stop.patience
                if time.monotonic() > end:
                    self._stop.was_raised = True
                    return
            await asyncio.sleep(_LOOKS_SECONDS)

    async def _end_others(self) -> None:
        """Cancel what there is of other tasks, as the end of a runner does, but for its threads."""
        await until_cancelled(asyncio.all_tasks() - {self._task}, self._stop)
        await self._loop.shutdown_asyncgens()

    def _say(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say what asyncio says, but for what ends the attempt: that is said."""
        if not isinstance(context.get("exception"), Abort):
            loop.default_exception_handler(context)

    def _wake(self) -> None:
        """The attempt is stopped: on the loop, whatever thread has said so."""
        self._stop.is_awake = True
        self._cancel_by(time.monotonic() + self._stop.patience)

    def _cancel_by(self, end: float) -> None:
        """Cancel the handler when no step is in flight any more, or then, and again and again."""
        if self._is_ending or self._task is None:
            return
        if self._driver.scope.in_flight and time.monotonic() < end:
            self._loop.call_later(_LOOKS_SECONDS, self._cancel_by, end)
            return
        self._stop.was_raised = True
        self._task.cancel()
        self._loop.call_later(_AGAIN_SECONDS, self._cancel_by, 0.0)

    def _leave(self, error: BaseException) -> None:
        """A step of another task has raised what ends the process: so the handler ends by it."""
        if self._left_by is None and self._task is not None:
            self._left_by = error
            self._task.cancel()

    def _never_awaited(self, name: str) -> str:
        return (
            f"step {name!r} was asked for at {self._driver.scope.place_of(name)}, and nobody has "
            "awaited it, so it was not executed: write await in front of it"
        )
