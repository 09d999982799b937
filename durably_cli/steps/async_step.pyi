"""`AsyncStep` as type checkers see it: see async_step.py."""

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Self, TypeVar, TypeVarTuple, overload

from durably_cli.journal.registry import Event
from durably_cli.steps.child_run import HasChild
from durably_cli.steps.command import Words
from durably_cli.steps.logger import Logger
from durably_cli.steps.many import Key, Results
from durably_cli.steps.program import CommandResult
from durably_cli.steps.tries import Retry
from durably_cli.system.databases.database import Connect
from durably_cli.values.durations import Duration
from durably_cli.values.strict_json import Json

I = TypeVar("I")
T = TypeVar("T")
D = TypeVar("D")
O = TypeVar("O")
Ts = TypeVarTuple("Ts")

class AsyncStep:
    """Checkpoints of one attempt of an async handler; its methods are awaited.

    `AsyncStep()` is one in memory, for unit tests of jobs. The methods are those of `Step`: an
    async function is awaited on the loop of the handler, any other one is called in a thread.
    """

    run_id: str
    """The id of the run, the same in every attempt."""
    attempt: int
    """Which attempt this is, from 1."""
    created_at: datetime
    """When the run was made, in UTC; the same in every attempt."""
    log: Logger
    """Lines of four levels for the journal and for the standard `logging`."""

    def __init__(
        self,
        results: dict[str, Json] | None = None,
        record: Callable[[Event], object] = ...,
        *,
        run_id: str = "in-memory",
        attempt: int = 1,
        created_at: datetime | None = None,
        signals: Mapping[str, object] | None = None,
    ) -> None: ...
    @overload
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], Awaitable[T]],
        /,
        *args: *Ts,
        returns: None = None,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[*Ts], object] = "again",
    ) -> Coroutine[Any, Any, T]:
        """Call `fn(*args)` once, and give what it returned, in this and each later attempt.

        An async function is awaited, any other one is called in a thread. The options are those of
        `Step.run`; `timeout` cancels an async function. A step whose task is cancelled has not
        failed: it is in doubt.
        """
    @overload
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], T],
        /,
        *args: *Ts,
        returns: None = None,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[*Ts], object] = "again",
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        returns: type[T],
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[*Ts], object] = "again",
    ) -> Coroutine[Any, Any, T]: ...
    def sh(
        self,
        name: str,
        command: Words,
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes | None = None,
        check: bool = True,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[Any], CommandResult] = "again",
    ) -> Coroutine[Any, Any, CommandResult]:
        """Run a program once, as `Step.sh` does; it ends with a task that is cancelled."""

    @overload
    def transaction(
        self,
        name: str,
        connect: Connect,
        fn: Callable[[Any, *Ts], T],
        /,
        *args: *Ts,
        returns: None = None,
        tries: int | Retry = 1,
    ) -> Coroutine[Any, Any, T]:
        """Call a plain `fn(connection, *args)` exactly once, as `Step.transaction` does."""
    @overload
    def transaction(
        self,
        name: str,
        connect: Connect,
        fn: Callable[[Any, *Ts], object],
        /,
        *args: *Ts,
        returns: type[T],
        tries: int | Retry = 1,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], Awaitable[T]],
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
    ) -> Coroutine[Any, Any, list[T]]:
        """Call `fn(item)` once for each item, side by side, as `Step.map` does."""
    @overload
    def map(
        self,
        name: str,
        fn: Callable[[I], Awaitable[T]],
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
    ) -> Coroutine[Any, Any, Results[T]]: ...
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
    ) -> Coroutine[Any, Any, list[T]]: ...
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
    ) -> Coroutine[Any, Any, Results[T]]: ...
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
    ) -> Coroutine[Any, Any, list[T]]: ...
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
    ) -> Coroutine[Any, Any, Results[T]]: ...
    @overload
    def for_each(
        self,
        name: str,
        body: Callable[[Self, I], Awaitable[T]],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["stop", "continue"] = "stop",
    ) -> Coroutine[Any, Any, list[T]]:
        """Await `body(step, item)` for each item, side by side, as `Step.for_each` does."""
    @overload
    def for_each(
        self,
        name: str,
        body: Callable[[Self, I], Awaitable[T]],
        items: Iterable[I],
        *,
        key: Callable[[I], Key] | None = None,
        concurrency: int = 8,
        on_error: Literal["collect"],
    ) -> Coroutine[Any, Any, Results[T]]: ...
    def sleep(
        self, name: str, duration: Duration | None = None, *, until: datetime | str | None = None
    ) -> Coroutine[Any, Any, None]:
        """Let time pass: a `duration` once, from when it is first asked for, or all `until` a time.

        A duration is seconds, a timedelta or a text such as `3d`; a time a datetime or a text, in
        local time if it has no zone. A resume waits for the rest. StepMisused for what is neither.
        """

    @overload
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], Awaitable[T | None]],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = 1,
        returns: None = None,
    ) -> Coroutine[Any, Any, T]:
        """Call `fn(*args)` now and `every` so often, until it gives something else than None.

        That is the result, in this and every later attempt. What it looks at must not change by
        that: calls leave no line in the journal, and a resume begins with one. `timeout` is how
        long all of it may take: then WaitTimeout is raised. With `tries`, so many calls in a row
        may raise.
        """

    @overload
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], T | None],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = 1,
        returns: None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = 1,
        returns: type[T],
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def wait_signal(
        self,
        name: str,
        type: type[T],
        /,
        *,
        prompt: str | None = None,
        timeout: Duration | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Wait until the run is sent the signal of this name, and return its value.

        `durably signal`, `approve` and `deny` send one, and so does `durably.signal`; it must fit
        the `type`. `prompt` is what a person reads. After the `timeout` the `default` is returned;
        without one WaitTimeout is raised. The first signal counts, and an early one is there.
        """

    @overload
    def wait_signal(
        self,
        name: str,
        type: type[T],
        /,
        *,
        prompt: str | None = None,
        timeout: Duration | None = None,
        default: D,
    ) -> Coroutine[Any, Any, T | D]: ...
    def run_job(
        self,
        name: str,
        job: HasChild[I, O],
        input: I,
        /,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, O]:
        """Run another job as a step, and return its output.

        Its run is a child of this one: made once, resumed rather than made again, and cancelled
        with it. RunFailed if it has failed, or was cancelled.
        """

    def scope(self, name: str) -> Self:
        """The same step in a scope of this name, in which each of its names is used once."""

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report how far the run has come, `current` of `total` in any unit."""

    def idempotency_key(self, name: str) -> str:
        """A text for the header of that name, of requests that this step sends."""
