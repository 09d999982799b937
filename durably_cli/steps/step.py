"""The object a handler receives: replay a step's result, or run it and then record it.

A `Step` knows no file. It takes the results that are there already and something that records an
event, so a dict and `list.append` do: that is also the step to test jobs with.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import CodeType
from typing import Any, NamedTuple, TypeVar, TypeVarTuple, overload

from durably_cli.errors import Abort, StepMisused, ValueRefused
from durably_cli.journal.events import (
    Event,
    Json,
    LogWritten,
    ProgressReported,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from durably_cli.journal.failures import describe, origin_of, repr_of, text_of
from durably_cli.journal.masking import NO_SECRETS, Secrets
from durably_cli.steps.log import Log
from durably_cli.system import clock, process, signals
from durably_cli.values import convert, declared
from durably_cli.values.strict_json import is_text

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_Place = tuple[CodeType, int]
"""Code, and how far into it, in bytes."""


class _Called(NamedTuple):
    """What a step calls, the type it was told to return, and the converter that gives."""

    fn: Callable[..., object]
    returns: object
    converter: convert.Converter


def _ignore(_: object) -> None:
    pass


_NOTHING_YET = _Called(_ignore, None, convert.converter(declared.UNDECLARED))


class Step:
    """Checkpoints of one attempt.

    `Step()` is one in memory: it runs every step and keeps nothing, for unit tests of jobs.
    `results` are JSON texts by step name, each taken out when it is replayed; `record` is called
    with every event and returns once it is as durable as it must be; `replayed` with the name of
    every step that is replayed. `secrets` are masked in events, and refused in results.
    """

    def __init__(
        self,
        results: dict[str, Json] | None = None,
        record: Callable[[Event], object] = _ignore,
        *,
        run_id: str = "in-memory",
        attempt: int = 1,
        replayed: Callable[[str], object] = _ignore,
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        self.run_id = run_id
        """The id of the run, the same in every attempt."""
        self.attempt = attempt
        """Which attempt this is, from 1."""
        self.log = Log(self)
        """`info`, `warn` and `error` lines for the journal and for the standard `logging`."""
        self._results: dict[str, Json] = {} if results is None else results
        self._record, self._replayed = record, replayed
        self._secrets = secrets if secrets else None
        self._places: dict[str, _Place] = {}
        self._known_places: dict[tuple[int, int], _Place] = {}
        self._last = _NOTHING_YET
        self._running: str | None = None
        self._refused: StepMisused | None = None
        self._failures: dict[int, tuple[str, BaseException]] = {}
        self._process, self._thread = process.this.pid, threading.get_ident()

    @overload
    def run(self, name: str, fn: Callable[[*Ts], T], /, *args: *Ts, returns: None = None) -> T: ...
    @overload
    def run(self, name: str, fn: Callable[[*Ts], object], /, *args: *Ts, returns: type[T]) -> T: ...
    def run(
        self, name: str, fn: Callable[[*Ts], object], /, *args: *Ts, returns: Any = None
    ) -> Any:
        """Call `fn(*args)` once, and return what it returned, in this and every later attempt.

        The result goes through JSON on the first run as on a replay: as the type `returns`, else
        as the one that `fn` declares, else as the plain JSON that it must be. The exception of a
        step passes through, and the step runs again on resume. A name is used once per execution.

        Raises StepMisused for a reused name, a nested or an async step and a second thread;
        ValueRefused for a result that would come back different.
        """
        self._begin(name)
        if fn is self._last.fn and returns is self._last.returns:  # as in a loop
            converter = self._last.converter
        else:
            converter = self._converter_for(name, fn, returns)
        if name in self._results:
            value = self._replay(name, converter)
        else:
            value = self._execute(name, converter, fn, args)
        return value  # the converter saw to its type

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report how far the run has come, `current` of `total` in any unit.

        Any thread of the handler may. TypeError for what is no number, or one that no float holds.
        """
        done, all_of_it = _number(current), None if total is None else _number(total)
        shown = None if message is None else text_of(message)
        self.emit(ProgressReported(done, clock.now(), all_of_it, shown))

    @property
    def running(self) -> str | None:
        """The name of the step whose function is being called."""
        return self._running

    def emit(self, event: Event) -> None:
        """Record an event, from any thread of this process."""
        if process.this.pid != self._process:
            raise self._in_a_child()
        if self._secrets is not None:
            event = self._secrets.masked(event)
        self._record(event)

    def masked(self, line: LogWritten) -> LogWritten:
        """The line with known secrets masked."""
        masked = line if self._secrets is None else self._secrets.masked(line)
        return masked if isinstance(masked, LogWritten) else line

    def raise_refused(self) -> None:
        """Raise the StepMisused that was raised in another thread, where the handler saw it not."""
        if self._refused is not None:
            raise self._refused

    def step_of(self, error: BaseException | None) -> str | None:
        """The step that raised this exception, or the one that it came from."""
        seen = set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            name, raised = self._failures.get(id(error), ("", None))
            if raised is error:
                return name
            error = origin_of(error)
        return None

    def _converter_for(
        self, name: str, fn: Callable[..., object], returns: object
    ) -> convert.Converter:
        """How the function's results go to JSON and back. StepMisused if they cannot."""
        if _is_async(fn):
            raise _async(name)
        try:
            converter = convert.converter(declared.returned_by(fn) if returns is None else returns)
        except TypeError as error:
            raise StepMisused(f"step {name!r}: {error}; or give `returns=` to step.run") from None
        self._last = _Called(fn, returns, converter)
        return converter

    def _replay(self, name: str, converter: convert.Converter) -> object:
        try:
            value: object = converter.load(self._results[name])
        except convert.DoesNotFit as error:
            raise StepMisused(
                f"the journalled result of step {name!r} no longer fits the type it is declared "
                f"with ({error}); restore the type, or give the step a new name to run it again"
            ) from None
        del self._results[name]
        self._replayed(name)
        return value

    def _execute(
        self,
        name: str,
        converter: convert.Converter,
        fn: Callable[..., object],
        args: tuple[Any, ...],
    ) -> object:
        self.emit(StepStarted(name, clock.now()))
        begun = time.perf_counter()
        self._running = name
        try:
            text, back = self._kept(name, converter, fn(*args))
        except (Abort, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._failures = {id(error): (name, error)}
            self.emit(StepFailed(name, _ms_since(begun), describe(error), clock.now()))
            raise
        finally:
            self._running = None
        self.emit(StepCompleted(name, _ms_since(begun), text, clock.now()))
        return back

    def _kept(self, name: str, converter: convert.Converter, value: object) -> tuple[Json, object]:
        """The result's JSON, and what that gives back. ValueRefused, with the step's name."""
        try:
            text, back = convert.round_trip(converter, value)
            if self._secrets is not None:
                self._secrets.refuse(text)
        except ValueRefused as refused:
            if inspect.isawaitable(value):
                if inspect.iscoroutine(value):
                    value.close()
                raise _async(name) from None
            what = f"the result of step {name!r}"
            raise ValueRefused(refused.path, refused.reason, what=what) from None
        return text, back

    def _begin(self, name: str) -> None:
        if process.this.pid != self._process:
            raise self._in_a_child()
        if threading.get_ident() != self._thread:
            self._refused = StepMisused(
                f"step {name!r} was started from a second thread; start steps from the thread of "
                "the handler, and threads from inside a step"
            )
            raise self._refused
        signals.check()
        if not isinstance(name, str) or not name or not (name.isascii() or is_text(name)):
            raise StepMisused(f"a step's name must be a text that is not empty, not {name!r}")
        secret = None if self._secrets is None else self._secrets.held_by(name)
        if secret is not None:
            raise StepMisused(f"the name of a step holds the secret {secret}; give it another one")
        if self._running is not None:
            raise StepMisused(
                f"step {name!r} was started inside step {self._running!r}; steps do not nest: "
                "call the function itself, or start it after the outer step"
            )
        caller = sys._getframe(2)
        code, offset = caller.f_code, caller.f_lasti
        place = self._known_places.setdefault((id(code), offset), (code, offset))
        first = self._places.get(name)
        if first is not None:
            places = " and at ".join(dict.fromkeys((_shown(first), _shown(place))))
            raise StepMisused(
                f"the step name {name!r} is used twice, at {places}; give each step a name of its "
                "own, with the item's id in it for one"
            )
        self._places[name] = place

    def _in_a_child(self) -> StepMisused:
        return StepMisused(
            f"this process is a child of process {self._process}, which owns the run; "
            "fork inside a step's function, and let the child never use `step`"
        )


def _is_async(fn: Callable[..., object]) -> bool:
    """Does it say that it is async? (If it does not, what it returns tells.)"""
    code = getattr(fn, "__code__", None)
    if isinstance(code, CodeType):  # a proxy for what is elsewhere may answer anything
        return bool(code.co_flags & _ASYNC)
    return inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)


_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _async(name: str) -> StepMisused:
    return StepMisused(
        f"step {name!r} is async, which is not supported yet; "
        "give it a plain function that calls asyncio.run(...)"
    )


def _shown(place: _Place) -> str:
    code, offset = place
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{code.co_filename}:{next(lines)}"


def _number(given: object) -> float:
    """A plain int or float. TypeError for anything else."""
    with suppress(OverflowError):  # of an int that no float holds
        if isinstance(given, (int, float)) and math.isfinite(given):
            return int.__pos__(given) if isinstance(given, int) else float.__pos__(given)
    raise TypeError(f"step.progress takes numbers that a float can hold, not {repr_of(given):.80}")


def _ms_since(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1000)
