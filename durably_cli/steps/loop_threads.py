"""Threads of durably's own for the plain functions that an async handler has called.

They are no threads of the loop's default executor, nor of any pool of `concurrent.futures`: the end
of a loop, and of the process, would wait for those. They last as long as they have something to do.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

from durably_cli.steps.child import leave_as_child
from durably_cli.steps.operation import Raised
from durably_cli.steps.stop import is_abandoned
from durably_cli.system.process import this

_MOST = 64
"""How many functions are called at once, unless a map asks for more."""

_IDLE_SECONDS = 5.0
"""How long a thread waits for something to do."""


class LoopThreads:
    """Calls functions for the tasks of a loop, each in a thread."""

    def __init__(self, most: int = _MOST) -> None:
        self.busy = 0
        """How many calls have not ended, those included that nobody waits for any more."""
        self._most = most
        self._jobs = deque[_Job]()
        self._changed = threading.Condition()
        self._idle = self._threads = 0

    def at_least(self, many: int) -> None:
        """So many are to be called at once, if there are."""
        self._most = max(self._most, many)

    async def call(self, act: Callable[[], Any]) -> Any:
        """What it returns, or Raised.

        If the task is cancelled meanwhile, a call that has begun comes to its end all the same;
        a program that it waits for is ended.
        """
        job = self._begun(act)
        try:
            return await job.future
        except asyncio.CancelledError:
            job.is_abandoned.set()
            with self._changed, suppress(ValueError):
                self._jobs.remove(job)
                self.busy -= 1
            raise

    def future(self, act: Callable[[], Any]) -> Future[Any]:
        """The same as a future, which nobody cancels."""
        return self._begun(act).future

    def _begun(self, act: Callable[[], Any]) -> _Job:
        job = _Job(asyncio.get_running_loop(), act, copy_context())
        with self._changed:
            self._jobs.append(job)
            self.busy += 1
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._most:
                self._begin_thread(job)
        return job

    def _begin_thread(self, job: _Job) -> None:
        self._threads += 1
        try:
            threading.Thread(target=self._perform_all, daemon=True).start()
        except RuntimeError:  # the machine lets there be no more of them
            self._threads -= 1
            if not self._threads:
                self._jobs.remove(job)
                self.busy -= 1
                raise

    def _perform_all(self) -> None:
        while (job := self._next()) is not None:
            job.perform()
            with self._changed:
                self.busy -= 1
            del job  # and what it holds

    def _next(self) -> _Job | None:
        with self._changed:
            self._idle += 1
            is_something = self._changed.wait_for(lambda: self._jobs, _IDLE_SECONDS)
            self._idle -= 1
            if is_something:
                return self._jobs.popleft()
            self._threads -= 1
            return None


class _Job:
    """A function to call for a task, in the context of that."""

    def __init__(self, loop: AbstractEventLoop, act: Callable[[], Any], context: Context) -> None:
        self.future: Future[Any] = loop.create_future()
        self.is_abandoned = threading.Event()  # and not this job, which has the context that has it
        self._loop, self._act, self._context = loop, act, context

    def perform(self) -> None:
        """Call it, and say what came of it."""
        owner = this.pid
        try:
            outcome = self._context.run(self._called)
        except BaseException as error:
            outcome = Raised(error)
        leave_as_child(owner, outcome)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._end, outcome)

    def _called(self) -> Any:
        is_abandoned.set(self.is_abandoned.is_set)
        return self._act()

    def _end(self, outcome: Any) -> None:
        if not self.future.done():
            self.future.set_result(outcome)
