"""The driver of an event loop: it performs the effects of plans in the tasks that await them.

Async functions are awaited on the loop, others are called in threads. A task that is cancelled
leaves its step in doubt: that is no failure.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from threading import get_ident
from typing import Any, TypeVar

from durably_cli.errors import JournalLost, StepMisused
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCancelled
from durably_cli.steps.call import FunctionCall, is_async
from durably_cli.steps.cancelling import given_by, within
from durably_cli.steps.child import leave_as_child
from durably_cli.steps.commits import Commits
from durably_cli.steps.driver import NOT_REPLAYED, Driver, Waits, mark_failed
from durably_cli.steps.loop_threads import LoopThreads
from durably_cli.steps.operation import All, Call, Operation, Past, Plan, Raised, Wait
from durably_cli.steps.scope import Scope, being_handled
from durably_cli.steps.stop import Stop
from durably_cli.system import clock
from durably_cli.system.process import this
from durably_cli.system.time_limits import call_within

T = TypeVar("T")

_FIRST_SECONDS, _SLICE_SECONDS = 0.05, 1.0
"""How often a wait looks at the wall clock, which may be set, and goes on with the lid closed."""

_STOPS = (asyncio.CancelledError, GeneratorExit)
"""What ends a task from outside, or a coroutine that nobody awaits any more."""


class LoopDriver(Driver):
    """Performs operations in the tasks of one event loop."""

    def __init__(
        self,
        append: Callable[[Event], object],
        past: Past,
        stop: Stop,
        replayed: Callable[[str], object],
        scope: Scope,
        commits: Commits | None = None,
    ) -> None:
        """Events go to `commits`; without it, to `append`."""
        super().__init__(append, past, stop, replayed, scope)
        self.threads, self._commits = LoopThreads(), commits
        self.loop: asyncio.AbstractEventLoop | None = None
        """The one of the handler, once it is known."""
        self.task: asyncio.Task[Any] | None = None
        """That of the handler."""
        self.leave: Callable[[BaseException], object] | None = None
        """Called with what ends the process, if it is raised in another task than that."""
        self._not_begun = dict[str, Coroutine[Any, Any, Any]]()

    def perform(self, operation: Operation) -> Coroutine[Any, Any, Any]:
        """What came of it, before or now, for who awaits that."""
        return self._asked(operation.name, self._found_or_done(operation, being_handled()))

    def carry_out(self, operation: Operation) -> Coroutine[Any, Any, Any]:
        """What comes now of one that has no result, for who awaits that."""
        return self._asked(operation.name, self._newly_done(operation, being_handled()))

    def never_awaited(self) -> list[str]:
        """The steps that were asked for and that nobody has awaited; nobody can any more."""
        found = []
        for name, coroutine in self._not_begun.items():
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                found.append(name)
                coroutine.close()
        self._not_begun.clear()
        return found

    def call(self, call: FunctionCall) -> Coroutine[Any, Any, Any]:
        """The same of a plain call."""
        return self.perform(call)

    def _asked(self, name: str, coroutine: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        self._not_begun[name] = coroutine
        return coroutine

    async def _found_or_done(self, operation: Operation, handled: BaseException | None) -> Any:
        self._begin(operation.name)
        value = self.found(operation)
        return await self._done(operation, handled) if value is NOT_REPLAYED else value

    async def _newly_done(self, operation: Operation, handled: BaseException | None) -> Any:
        self._begin(operation.name)
        return await self._done(operation, handled)

    async def _done(self, operation: Operation, handled: BaseException | None) -> Any:
        name = operation.name
        self.scope.begin(name, handled)
        try:
            plan = self._plan_of(operation)
            outcome = await self._run(plan, name)
            while type(outcome) is Wait:
                over = await self._waited(outcome, plan, name)
                outcome = await self._run(plan, name, over)
            if type(outcome) is Raised:
                self._end_by(outcome.error)
                raise outcome.error
            return outcome
        except BaseException as error:
            mark_failed(error, name)
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                self._leave(error)
            raise
        finally:
            self.scope.end(name)

    async def outcome_of(self, operation: Operation, plan: Plan | None = None) -> Any:
        """What comes of it now, or Raised, or Waits, to go on with its plan then."""
        name, converter = operation.name, operation.converter
        try:
            plan = plan or self._plan_of(operation)
            if converter is None:
                outcome = await self._run(plan, name)
            else:
                self.scope.begin(name)
                try:
                    outcome = await self._run(plan, name)
                finally:
                    self.scope.end(name)
            if type(outcome) is Wait:
                return Waits(plan, outcome)
            if type(outcome) is Raised:
                self._end_by(outcome.error)
        except _STOPS:
            raise
        except BaseException as error:
            outcome = Raised(error)
        if type(outcome) is Raised and converter is not None:
            mark_failed(outcome.error, name)
        return outcome

    async def _run(self, plan: Plan, name: str, answer: object = None) -> Any:
        """Perform the effects of a plan; what it returns, or the Wait with which it goes on.

        The `answer` is what came of the one before.
        """
        began = time.monotonic()
        try:
            effect = plan.send(answer)
            while True:
                if type(effect) is Wait:
                    return effect
                try:
                    if type(effect) is Call:
                        answer = await self._called(effect)
                    elif type(effect) is All:
                        from durably_cli.steps.tasks_at_once import in_tasks  # few jobs have any

                        answer = await in_tasks(name, effect, self, self._stop)
                    else:
                        await self._record(effect)
                        answer = None
                except asyncio.CancelledError:
                    plan.close()
                    if type(effect) is Call or type(effect) is All:
                        self._cancelled(name, began)
                    raise
                except GeneratorExit:
                    plan.close()
                    raise
                except BaseException as error:
                    if type(effect) is not Call and type(effect) is not All:
                        raise
                    if self._stop.cause is not None:  # of which it, or a library, has made that
                        plan.close()
                        self._stop.check()
                    answer = Raised(error)
                effect = plan.send(answer)
        except StopIteration as end:
            return end.value

    def _cancelled(self, name: str, began: float) -> None:
        """Record that what a step does was cancelled, unless the attempt ends by that."""
        if self._stop.cause is None:
            ms = round((time.monotonic() - began) * 1000)
            self._recorded(StepCancelled(name, ms, clock.now()))

    def _leave(self, error: BaseException) -> None:
        """Let the handler end by this. In another task asyncio would end the loop before all tasks.

        CancelledError there.
        """
        if self.leave is not None and asyncio.current_task() is not self.task:
            self.leave(error)
            raise asyncio.CancelledError from error

    async def _record(self, event: Event) -> None:
        if self._commits is None:
            self._recorded(event)
            return
        try:
            await self._commits.record(event)
        except JournalLost as lost:
            self._stop.stop(lost)
            raise
        self.has_executed = True

    async def _called(self, call: Call) -> Any:
        """What the function returns; what it raises passes through."""
        fn, args, seconds = call
        if is_async(fn):
            value: Any = fn(*args)
        else:
            act = (lambda: fn(*args)) if seconds is None else lambda: call_within(seconds, fn, args)
            value = given_by(await self.threads.call(act))
        owner = this.pid
        while inspect.isawaitable(value):
            try:
                value = await value if seconds is None else await within(seconds, value, self._stop)
            except BaseException as error:
                leave_as_child(owner, Raised(error))
                raise
            leave_as_child(owner, value)
        return value

    async def _waited(self, wait: Wait, plan: Plan, name: str) -> bool:
        """Is the time over, and what is waited for not there?"""
        began = time.monotonic()
        try:
            if not wait.suspends:
                return await self._is_over(wait)
            with self.scope.idle.step(name, lambda: wait.until):
                return await self._is_over(wait)
        except asyncio.CancelledError:
            plan.close()
            if wait.suspends:
                self._cancelled(name, began)
            raise

    async def _is_over(self, wait: Wait) -> bool:
        end, slice_seconds = time.monotonic() + wait.longest, _FIRST_SECONDS
        while (left := self._stop.seconds_until(wait.until, end - time.monotonic())) > 0:
            if wait.ready is not None and wait.ready():
                return False
            await asyncio.sleep(min(left, slice_seconds))
            slice_seconds = min(2 * slice_seconds, _SLICE_SECONDS)
            self._stop.suspend_if_all_wait()
        return wait.ready is None or not wait.ready()

    def waits_until(self) -> str | None:
        """When the first wait is over, if each step in flight waits, and no task is at work.

        What tasks await that is no step does not count.
        """
        until, loop = self.scope.idle.until(), self.loop
        is_at_work = (
            get_ident() != self.scope.thread
            and loop is not None
            and asyncio.current_task(loop) is not None
        )
        return None if is_at_work else until

    def _begin(self, name: str) -> None:
        """Who asked for this step awaits it."""
        self._not_begun.pop(name, None)
        self._stop.check()
        if self.loop is not None and self.loop is not asyncio.get_running_loop():
            raise StepMisused(
                f"step {name!r} is awaited on another event loop than that of the handler: "
                "await it there"
            )
