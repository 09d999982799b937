"""`step.run`: a function is called once, and its result is handed back ever after."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from time import perf_counter
from types import CodeType
from typing import Any, NamedTuple

from durably_cli.errors import Abort, StepMisused, StepTimeout, ValueRefused
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.journal.raised import parts_of
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    DATABASE,
    NO_CODE,
    StepCompleted,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepRetrying,
    StepStarted,
)
from durably_cli.steps import doubt
from durably_cli.steps.accepted import accepted
from durably_cli.steps.causes import steps_of
from durably_cli.steps.doubt import NotDone, WhenInDoubt
from durably_cli.steps.operation import Call, Effect, Past, Plan, Raised
from durably_cli.steps.redo import outdated, owe
from durably_cli.steps.salvage import refused, salvaged
from durably_cli.steps.scope import being_handled
from durably_cli.steps.tries import Retry, Tries, explain_untried, pause_of
from durably_cli.system import clock, signals
from durably_cli.system.process import this
from durably_cli.system.time_limits import TookTooLong
from durably_cli.values import convert, declared, plain
from durably_cli.values.durations import span
from durably_cli.values.strict_json import Json

_AGAIN = object()
"""In place of what came of a call that is to be made again."""

Result = tuple[Json, Any, int]
"""A step's result as JSON, the same read, and how many milliseconds it took."""


class FunctionCall(NamedTuple):
    """A function to call with these arguments; its result may hold none of the `secrets`.

    With `retry` it is called again when it has failed; `timeout` are the seconds of each call;
    `in_doubt` is what to do if an attempt before has left it so. `code` says which function it is,
    and `input` is a digest of an item.
    """

    name: str
    fn: Callable[..., object]
    args: tuple[Any, ...]
    converter: plain.Converter
    secrets: Secrets | None = None
    retry: Retry | None = None
    timeout: float | None = None
    in_doubt: WhenInDoubt = doubt.AGAIN
    code: str = NO_CODE
    input: str = ""

    def plan(self, past: Past) -> Plan:
        """Started, called, and completed or failed; or completed with what is there already.

        A try that failed is waited after, and the next one is started.
        """
        name, fn, args, converter, _, retry, timeout, in_doubt, code, item = self
        last = past.unfinished.get(name) if past.unfinished else None
        if last is not None or name in past.in_doubt:
            found = yield from self._found(last, past)
            if isinstance(found, Raised):
                return found
            if found is not None:
                text, back, ms = found
                yield from outdated(past, name, text)
                yield StepCompleted(name, ms, text, clock.now())
                return back
        handled, tries = being_handled(), None
        if retry is not None:
            tries = Tries(retry, past.begun.get(name))
            if isinstance(last, StepRetrying):
                yield pause_of(last)
        while True:
            during = [] if handled is None else steps_of(handled)
            said = DATABASE if in_doubt is DATABASE else ""
            started = StepStarted(name, clock.now(), during, code, said, item)
            if tries is not None:
                tries.begin(started.at)
            yield started
            if in_doubt is not doubt.AGAIN and in_doubt is not DATABASE:
                gives = not doubt.takes_null(converter)
                yield StepEntered(name, doubt.word_for(in_doubt), clock.now(), gives)
            owner, begun = this.pid, perf_counter()
            value = yield Call(fn, args, timeout)
            found = yield from self.ended(value, begun, owner, past, tries)
            if found is not _AGAIN:
                return found

    def ended(
        self, value: Any, begun: float, owner: int, past: Past, tries: Tries | None = None
    ) -> Plan:
        """What comes of a call that gave this value, or Raised, in the process that began it.

        It completes, fails, or is to be made again after a pause.
        """
        name = self.name
        try:
            if type(value) is Raised:
                if isinstance(value.error, TookTooLong):
                    raise self._timed_out(value.error) from None
                raise value.error
            try:
                text, back = accepted(value, self.converter, self.secrets)
            except ValueRefused as error:
                raise self._refused(error, value) from None
        except (Abort, KeyboardInterrupt):  # the step stays in doubt
            raise
        except BaseException as error:
            signals.raise_if_stopped()  # of which the function, or a library, has made it
            if this.pid != owner:  # a child that the function forked ends as it means to
                return Raised(error)
            ms = _ms_since(begun)
            try:
                again = self._next_try(error, ms, tries)
            except Exception as raised:  # by the user's own word on what is tried again
                error, again = raised, None
            if again is not None:
                yield again
                yield pause_of(again)
                return _AGAIN
            if past.redone:
                owe(past, name)
            yield self._failed(ms, error, value, tries)
            if self.in_doubt == doubt.STOP and type(value) is not Raised:  # it has returned
                return doubt.was_refused(name, describe(error).message)
            return Raised(error)
        ms = _ms_since(begun)
        if past.redone:
            yield from outdated(past, name, text)
        yield StepCompleted(name, ms, text, clock.now())
        return back

    def _found(
        self, last: Event | None, past: Past
    ) -> Generator[Effect, Any, Result | Raised | None]:
        """The result of an earlier call: one that was refused, given by a person, or looked for.

        None if it is to be called; Raised if the attempt is to end because nobody knows.
        """
        name, in_doubt, begun = self.name, self.in_doubt, perf_counter()
        if found := salvaged(last, self.converter):
            return found
        if isinstance(last, StepMarkedDone):
            return doubt.given(last, self.converter, self.secrets)
        if in_doubt == doubt.STOP and (why := doubt.discarded_unasked(last)):
            return Raised(doubt.stopped_behind(name, why))
        if in_doubt == doubt.STOP and (why := doubt.refused_before(last)):
            return doubt.was_refused(name, why)
        if name not in past.in_doubt or in_doubt in (doubt.AGAIN, DATABASE):
            return None
        if not callable(in_doubt):
            return doubt.stops_at(name)
        value = yield Call(in_doubt, self.args, self.timeout)
        try:
            if type(value) is Raised:
                if isinstance(value.error, TookTooLong):
                    raise self._timed_out(value.error) from None
                raise value.error
            text, back = accepted(value, self.converter, self.secrets)
        except NotDone:
            return None
        except (Abort, KeyboardInterrupt):
            raise
        except BaseException as error:
            signals.raise_if_stopped()
            return doubt.could_not_look(name, error)
        return text, back, _ms_since(begun)

    def _next_try(self, error: BaseException, ms: int, tries: Tries | None) -> StepRetrying | None:
        """What is journalled of a failure behind which comes another try; None if none does."""
        if tries is None:
            explain_untried(error)
            return None
        until = tries.next_after(error)
        if until is None:
            return None
        at = clock.now()
        return StepRetrying(self.name, tries.made, tries.most, ms, describe(error), until, at)

    def _timed_out(self, error: TookTooLong) -> StepTimeout:
        """The failure of a call that took too long, with the place where it was interrupted."""
        said = f"step {self.name!r} took longer than {span(self.timeout or 0)}"
        return StepTimeout(said).with_traceback(error.__traceback__)

    def _failed(
        self, ms: int, error: BaseException, value: object, tries: Tries | None
    ) -> StepFailed:
        failed = StepFailed(self.name, ms, describe(error), clock.now(), parts_of(error))
        if tries is not None:
            failed = failed._replace(tries=tries.made)
        if type(value) is not Raised and issubclass(type(error), ValueRefused):
            failed = failed._replace(refused=refused(value, self.converter))
        return failed

    def _refused(self, error: ValueRefused, value: object) -> StepMisused | ValueRefused:
        """The error for a result that was refused, with the step's name."""
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            return async_refused(self.name)
        what = f"the result of step {self.name!r}{_place_of(self.fn)}"
        return ValueRefused(error.path, error.reason, what=what)


def converter_for(
    name: str, fn: Callable[..., object], returns: object, *, may_be_async: bool = False
) -> plain.Converter:
    """How the results of a step's function go to JSON and back. StepMisused if they cannot."""
    if not callable(fn):
        raise no_function(name, fn)
    if is_async(fn):
        if not may_be_async:
            raise async_refused(name)
        if inspect.isasyncgenfunction(fn):
            raise StepMisused(
                f"step {name!r} is given an async generator, which gives no result: collect what "
                "it yields in a list, and return that"
            )
    try:
        return convert.converter(declared.returned_by(fn) if returns is None else returns)
    except TypeError as error:
        raise StepMisused(f"step {name!r}: {error}; or give `returns=` to step.run") from None


def is_async(fn: Callable[..., object]) -> bool:
    """Does it say that it is async? (If it does not, what it returns tells.)"""
    code = getattr(fn, "__code__", None)
    if isinstance(code, CodeType):  # a proxy for what is elsewhere may answer anything
        return bool(code.co_flags & _ASYNC)
    return inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)


_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def async_refused(name: str) -> StepMisused:
    """The error for a step whose function is async."""
    return StepMisused(
        f"step {name!r} is given an async function, and its handler is a plain one: make that "
        "`async def`, with `step: AsyncStep` and `await` in front of each step; or give it a plain "
        "function that calls asyncio.run(...)"
    )


def no_function(name: str, given: object) -> StepMisused:
    """The error for a step that is given what its function returned, as by `f(1)`."""
    if inspect.iscoroutine(given):
        given.close()
    kind = "None" if given is None else f"a value of type {type(given).__qualname__}"
    return StepMisused(
        f"step {name!r} was given {kind}, and no function; step.run calls it itself: pass the "
        f"function, and behind it its arguments: step.run({name!r}, f, 1), not "
        f"step.run({name!r}, f(1))"
    )


def _place_of(fn: object) -> str:
    """Where a function is written, in brackets; nothing if it does not say."""
    code = getattr(fn, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    return f" ({code.co_filename}:{code.co_firstlineno})"


def _ms_since(begun: float) -> int:
    return round((perf_counter() - begun) * 1000)
