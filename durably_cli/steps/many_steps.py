"""The part of `Step` that is about many items, and about scopes."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from durably_cli.errors import StepMisused
from durably_cli.journal.events import ProgressReported
from durably_cli.journal.step_names import ItemName
from durably_cli.steps import doubt
from durably_cli.steps.call import FunctionCall, async_refused, converter_for, is_async
from durably_cli.steps.doubt import WhenInDoubt
from durably_cli.steps.logger import warn
from durably_cli.steps.operation import Operation
from durably_cli.steps.performer import Performer
from durably_cli.steps.tries import ONCE, Retry, limit_of, retry_of
from durably_cli.system import clock
from durably_cli.values.durations import Duration
from durably_cli.values.untrusted import repr_of

if TYPE_CHECKING:
    from durably_cli.steps.many import Key, OnError, Results

I = TypeVar("I")  # noqa: E741
T = TypeVar("T")

_PROGRESS_SECONDS = 0.5
"""How often a map reports by itself how far it is."""


class ManySteps(Performer):
    """Steps for many items, and scopes."""

    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], T],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["stop", "continue"] = "stop",
        rate: str | None = None,
        returns: None = None,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[I], object] = "again",
    ) -> list[T]: ...
    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], T],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["collect"],
        rate: str | None = None,
        returns: None = None,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[I], object] = "again",
    ) -> Results[T]: ...
    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], object],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["stop", "continue"] = "stop",
        rate: str | None = None,
        returns: type[T],
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[I], object] = "again",
    ) -> list[T]: ...
    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], object],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["collect"],
        rate: str | None = None,
        returns: type[T],
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[I], object] = "again",
    ) -> Results[T]: ...
    def map(
        self,
        name: str,
        fn: Callable[[Any], object],
        items: Iterable[Any],
        *,
        key: Callable[[Any], Key] | None = None,
        concurrency: int = 8,
        on_error: OnError = "stop",
        rate: str | None = None,
        returns: Any = None,
        tries: int | Retry = ONCE,
        timeout: Duration | None = None,
        in_doubt: WhenInDoubt = doubt.AGAIN,
    ) -> Any:
        """Call `fn(item)` once for each item, `concurrency` of them at once; the results, in order.

        Each item is a step, known by its `key`: itself if it is a text, a number or a path. A
        failed item lets no other one begin ("stop"), or all are gone through ("continue"), and then
        an ExceptionGroup is raised; with "collect" it is among the `failed` of Results. `rate` is
        how many may begin, as in "100/s" or "30/m". The other options are those of `run`, for each
        item; a pause between tries holds up no other item, unless a RetryAfter asks for it.

        Raises StepMisused for keys that are equal, or of several types.
        """
        name = self._scope.enter(name, sys._getframe(1))
        converter = converter_for(name, fn, returns, may_be_async=self.is_async)
        code = self._code_of(fn)
        retry = None if tries is ONCE else retry_of(tries, name)
        limit = None if timeout is None else limit_of(timeout, name)
        looks = doubt.checked(in_doubt, name, retry)

        def operation(item_name: ItemName, item: Any, digest: str) -> FunctionCall:
            options = converter, self._secrets, retry, limit, looks, code, digest
            return tuple.__new__(FunctionCall, (item_name, fn, (item,), *options))

        return self._over(name, items, key, operation, concurrency, on_error, rate, self._warn)

    @overload
    def for_each(
        self,
        name: str,
        body: Callable[[Self, I], T],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["stop", "continue"] = "stop",
    ) -> list[T]: ...
    @overload
    def for_each(
        self,
        name: str,
        body: Callable[[Self, I], T],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["collect"],
    ) -> Results[T]: ...
    def for_each(
        self,
        name: str,
        body: Callable[[Self, Any], object],
        items: Iterable[Any],
        *,
        key: Callable[[Any], Key] | None = None,
        concurrency: int = 8,
        on_error: OnError = "stop",
    ) -> Any:
        """Call `body(step, item)` for each item, `concurrency` of them at once, in every attempt.

        The `step` that it is given has a scope of its own for each item: its names are used once in
        there. What they have done is replayed; what the body returns is not journalled. The rest is
        as for `map`.
        """
        from durably_cli.steps.many import Body  # only jobs that have some pay for it

        name = self._scope.enter(name, sys._getframe(1))
        if is_async(body) and not self.is_async:
            raise async_refused(name)

        def operation(item_name: ItemName, item: Any, digest: str) -> Operation:
            return Body(item_name, self._within(item_name)._body_of(name, body, item))

        return self._over(name, items, key, operation, concurrency, on_error, None)

    def scope(self, name: str) -> Self:
        """The same step in a scope of this name, in which each of its names is used once."""
        return self._within(self._scope.enter(name, sys._getframe(1)))

    def _body_of(self, name: str, body: Callable[..., Any], item: Any) -> Callable[[], Any]:
        """What calls the body of a for_each, in the scope of this item."""
        return partial(body, self, item)

    def _within(self, scope: str) -> Self:
        step = copy.copy(self)
        step._scope = self._scope.within(scope)
        return step

    def _over(
        self,
        name: str,
        items: Iterable[Any],
        key: Callable[[Any], Key] | None,
        operation: Callable[[ItemName, Any, str], Operation],
        concurrency: int,
        on_error: OnError,
        rate: str | None,
        warn: Callable[[str], object] | None = None,
    ) -> Any:
        from durably_cli.steps.many import Map  # only jobs that have some pay for it

        if on_error not in ("stop", "continue", "collect"):
            raise StepMisused(
                f"step {name!r}: on_error is 'stop', 'continue' or 'collect', not "
                f"{repr_of(on_error):.80}"
            )
        if type(concurrency) is not int or concurrency < 1:
            raise StepMisused(
                f"step {name!r}: concurrency is how many at once, from 1, not "
                f"{repr_of(concurrency):.80}"
            )
        if isinstance(items, AsyncIterable):
            raise StepMisused(
                f"step {name!r}: an async iterable gives no items here: collect them first, "
                "[each async for each in ...]"
            )
        if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
            raise StepMisused(f"step {name!r}: {repr_of(items):.80} is no list of items")
        carried = self._driver.past.failures.pop(name, None)
        executed = Map(
            name=name,
            items=items,
            key=key,
            operation=operation,
            concurrency=concurrency,
            on_error=on_error,
            per_second=None if rate is None else _per_second(rate, name),
            progress=self._progress_of(name),
            run_id=self.run_id,
            take=self._scope.take,
            secrets=self._secrets,
            warn=warn,
            replayed=self._replayed,
            carried=carried,
        )
        return self._driver.carry_out(executed)

    def _warn(self, text: str, step: str | None = None) -> None:
        warn(self, text, step)

    def _progress_of(self, name: str) -> Callable[[int, int, int | None], None]:
        """Reports how far a map is, now and then, and at its end."""
        last = time.monotonic()

        def report(done: int, failed: int, total: int | None) -> None:
            nonlocal last
            if self.is_replayed:
                return
            now = time.monotonic()
            if done != total and now < last + _PROGRESS_SECONDS:
                return
            last = now
            message = f"{name}, {failed:,} failed" if failed else name
            self.emit(ProgressReported(done, clock.now(), total, message), is_replayed=False)

        return report


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _per_second(rate: str, name: str) -> float:
    number, sign, unit = rate.partition("/") if isinstance(rate, str) else ("", "", "")
    try:
        found = float(number) / _UNITS[unit.strip()]
        if sign and 0 < found < float("inf"):
            return found
    except (ValueError, KeyError):
        pass
    raise StepMisused(f"step {name!r}: a rate reads 100/s, 30/m or 1000/h, not {repr_of(rate):.80}")
