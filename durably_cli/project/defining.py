"""`define_job`: a handler, made a job."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Protocol, overload

from durably_cli.project import handlers, importing
from durably_cli.project.job import (
    NAME,
    AsyncFieldsJob,
    AsyncHandler,
    AsyncJob,
    FieldsJob,
    Handler,
    I,
    Job,
    O,
    OnFailure,
    P,
)
from durably_cli.steps.step import Step
from durably_cli.values import declared
from durably_cli.values.durations import Duration, seconds_in
from durably_cli.values.no_input import NoInput

if TYPE_CHECKING:
    from durably_cli.steps.async_step import AsyncStep

_AsyncOfStep = Callable[["AsyncStep"], Coroutine[Any, Any, O]]
_AsyncOfFields = Callable[Concatenate["AsyncStep", P], Coroutine[Any, Any, O]]
_OfFields = Callable[Concatenate[Step, P], O]
"""With a field that has no default: else the handler is one of a step, too, as checkers see it."""


class _Decorator(Protocol):
    @overload
    def __call__(self, handler: AsyncHandler[I, O], /) -> AsyncJob[I, O]: ...
    @overload
    def __call__(self, handler: _AsyncOfStep[O], /) -> AsyncJob[None, O]: ...
    @overload
    def __call__(  # type: ignore[overload-cannot-match]
        self, handler: _AsyncOfFields[P, O], /
    ) -> AsyncFieldsJob[P, O]: ...
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...
    @overload
    def __call__(self, handler: Callable[[Step], O], /) -> Job[None, O]: ...
    @overload
    def __call__(  # type: ignore[overload-cannot-match]
        self, handler: _OfFields[P, O], /
    ) -> FieldsJob[P, O]: ...


class _DecoratorOfInput(Protocol[I]):
    @overload
    def __call__(self, handler: AsyncHandler[I, O], /) -> AsyncJob[I, O]: ...
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...


class _DecoratorOfBoth(Protocol[I, O]):
    @overload
    def __call__(self, handler: AsyncHandler[I, O], /) -> AsyncJob[I, O]: ...
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...


class _DecoratorOfOutput(Protocol[O]):
    @overload
    def __call__(self, handler: AsyncHandler[I, O], /) -> AsyncJob[I, O]: ...
    @overload
    def __call__(self, handler: _AsyncOfStep[O], /) -> AsyncJob[None, O]: ...
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...
    @overload
    def __call__(self, handler: Callable[[Step], O], /) -> Job[None, O]: ...


@overload
def define_job(handler: AsyncHandler[I, O], /) -> AsyncJob[I, O]: ...
@overload
def define_job(handler: _AsyncOfStep[O], /) -> AsyncJob[None, O]: ...
@overload
def define_job(  # type: ignore[overload-cannot-match]
    handler: _AsyncOfFields[P, O], /
) -> AsyncFieldsJob[P, O]: ...
@overload
def define_job(handler: Handler[I, O], /) -> Job[I, O]: ...
@overload
def define_job(handler: Callable[[Step], O], /) -> Job[None, O]: ...
@overload
def define_job(  # type: ignore[overload-cannot-match]
    handler: _OfFields[P, O], /
) -> FieldsJob[P, O]: ...
@overload
def define_job(
    *,
    name: str | None = None,
    input: type[I],
    output: type[O],
    timeout: Duration | None = None,
    on_failure: OnFailure | None = None,
) -> _DecoratorOfBoth[I, O]: ...
@overload
def define_job(
    *,
    name: str | None = None,
    input: type[I],
    timeout: Duration | None = None,
    on_failure: OnFailure | None = None,
) -> _DecoratorOfInput[I]: ...
@overload
def define_job(
    *,
    name: str | None = None,
    output: type[O],
    timeout: Duration | None = None,
    on_failure: OnFailure | None = None,
) -> _DecoratorOfOutput[O]: ...
@overload
def define_job(
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    on_failure: OnFailure | None = None,
) -> _Decorator: ...
def define_job(
    handler: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    input: Any = declared.UNDECLARED,
    output: Any = declared.UNDECLARED,
    timeout: Duration | None = None,
    on_failure: OnFailure | None = None,
) -> Any:
    """Make a handler `(step, payload)`, or `(step)` without an input, a job.

    Keyword-only parameters are fields of its input: `(step, *, folder: Path, size: int = 200)`.
    `name` is the function's name with dashes unless given; `input` and `output` are its
    annotations unless given, and may be any type that pydantic reads. An attempt that takes longer
    than `timeout`, seconds, a timedelta or a text such as `1h30m`, is ended, and can be resumed.
    `on_failure(run)` is called after each attempt that has failed, once that is on disk, at most
    once, and for up to 60 seconds. An async handler takes an `AsyncStep`. Raises TypeError and
    ValueError for what cannot be a job: another order, a bad name, a type that JSON cannot give
    (of a script's job, when it is used).
    """

    def decorate(handler: Callable[..., Any]) -> Job[Any, Any]:
        job = _define(handler, name, input, output)
        job.timeout, job.on_failure = _seconds(timeout, job.name), _callable(on_failure, job.name)
        if getattr(handler, "__module__", None) == "__main__":
            from durably_cli.project.as_script import note_job  # only for scripts

            note_job(job)  # its types are read once it is to run: `list` needs none of them
        else:
            job._read_types()
        return job

    return decorate if handler is None else decorate(handler)


def _seconds(timeout: Duration | None, name: str) -> float | None:
    try:
        seconds = None if timeout is None else seconds_in(timeout)
    except (TypeError, ValueError) as error:
        raise type(error)(f"the timeout of {name}: {error}") from None
    if seconds == 0:
        raise ValueError(f"the timeout of {name}: no attempt ends in no time")
    return seconds


def _callable(on_failure: object, name: str) -> Any:
    if on_failure is not None and not callable(on_failure):
        raise TypeError(f"the on_failure of {name} is no function that takes the run")
    return on_failure


def _define(
    handler: Callable[..., Any], name: str | None, input: Any, output: Any
) -> Job[Any, Any]:
    handlers.refuse_other(handler)
    called = name if name is not None else getattr(handler, "__name__", "").replace("_", "-")
    if not isinstance(called, str) or not NAME.fullmatch(called):
        raise TypeError(
            f"{called!r} cannot be a job's name: letters, digits, '_', '.' and '-', "
            "64 at the most, the first one a letter or '_'; give it one: define_job(name=...)"
        )
    parameters = handlers.parameters_of(handler, called)
    if fields := handlers.fields_in(inspect.signature(handler).parameters):
        if input is not declared.UNDECLARED:
            raise TypeError(f"{called} has an input, and its handler must take it: (step, payload)")
        from durably_cli.project.fields_of_handler import model_of, with_fields  # few have any

        input, handler = model_of(handler, called, fields), with_fields(handler, fields)
    elif input is declared.UNDECLARED and len(parameters) == 2:
        input = declared.annotation(handler, parameters[1])
    if output is declared.UNDECLARED:
        output = declared.annotation(handler, "return")
    if len(parameters) == 1:
        if input is not declared.UNDECLARED:
            raise TypeError(f"{called} has an input, and its handler must take it: (step, payload)")
        handler, input = handlers.without_payload(handler), NoInput()
    kind = AsyncJob if handlers.is_async_handler(handler) else Job
    job: Job[Any, Any] = kind(handler, called, input, output)
    job.fields_type = input if fields else None
    try:
        job._text = importing.source_of(job._code.co_filename)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(
            f"the handler of {called} has no code to show the place of: wrap it in a function"
        ) from None
    return job
