"""`step.run`: a function is called once, and its result is handed back ever after."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from time import perf_counter
from types import CodeType
from typing import Any, NamedTuple

from durably_cli.errors import Abort, StepMisused, ValueRefused
from durably_cli.journal.events import StepCompleted, StepFailed, StepStarted
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.journal.raised import parts_of
from durably_cli.steps.causes import steps_of
from durably_cli.steps.operation import Call, Past, Plan, Raised
from durably_cli.steps.salvage import refused, salvaged
from durably_cli.system import clock, signals
from durably_cli.system.process import this
from durably_cli.values import convert, plain


class FunctionCall(NamedTuple):
    """A function to call with these arguments; its result may hold none of the `secrets`."""

    name: str
    fn: Callable[..., object]
    args: tuple[Any, ...]
    converter: plain.Converter
    secrets: Secrets | None = None

    def plan(self, past: Past) -> Plan:
        """Started, called, and completed or failed; or completed with what an attempt refused."""
        if past.unfinished and (found := salvaged(past.unfinished.get(self.name), self.converter)):
            text, back, ms = found
            yield StepCompleted(self.name, ms, text, clock.now())
            return back
        started, handled = StepStarted(self.name, clock.now()), sys.exception()
        yield started if handled is None else started._replace(during=steps_of(handled))
        owner = this.pid
        begun = perf_counter()
        value = yield Call(self.fn, self.args)
        try:
            if type(value) is Raised:
                raise value.error
            try:
                text, back = convert.round_trip(self.converter, value)
                if self.secrets is not None:
                    self.secrets.refuse(text)
            except ValueRefused as error:
                raise self._refused(error, value) from None
        except (Abort, KeyboardInterrupt):  # the step stays in doubt
            raise
        except BaseException as error:
            signals.raise_if_stopped()  # of which the function, or a library, has made the error
            if this.pid == owner:  # a child that the function forked ends as it means to
                yield self._failed(_ms_since(begun), error, value)
            return Raised(error)
        yield StepCompleted(self.name, _ms_since(begun), text, clock.now())
        return back

    def _failed(self, ms: int, error: BaseException, value: object) -> StepFailed:
        failed = StepFailed(self.name, ms, describe(error), clock.now(), parts_of(error))
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
        f"step {name!r} is async, which is not supported yet; "
        "give it a plain function that calls asyncio.run(...)"
    )


def no_function(name: str, given: object) -> StepMisused:
    """The error for a step that is given what its function returned, as by `f(1)`."""
    if inspect.iscoroutine(given):
        given.close()
        return async_refused(name)
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
