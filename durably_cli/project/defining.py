"""`define_job`: a handler, made a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, overload

from durably_cli.project import handlers, importing
from durably_cli.project.job import NAME, Handler, I, Job, O
from durably_cli.steps.step import Step
from durably_cli.values import declared
from durably_cli.values.no_input import NoInput


class _Decorator(Protocol):
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...
    @overload
    def __call__(self, handler: Callable[[Step], O], /) -> Job[None, O]: ...


class _DecoratorOfInput(Protocol[I]):
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...


class _DecoratorOfOutput(Protocol[O]):
    @overload
    def __call__(self, handler: Handler[I, O], /) -> Job[I, O]: ...
    @overload
    def __call__(self, handler: Callable[[Step], O], /) -> Job[None, O]: ...


@overload
def define_job(handler: Handler[I, O], /) -> Job[I, O]: ...
@overload
def define_job(handler: Callable[[Step], O], /) -> Job[None, O]: ...
@overload
def define_job(
    *, name: str | None = None, input: type[I], output: type[O]
) -> Callable[[Handler[I, O]], Job[I, O]]: ...
@overload
def define_job(*, name: str | None = None, input: type[I]) -> _DecoratorOfInput[I]: ...
@overload
def define_job(*, name: str | None = None, output: type[O]) -> _DecoratorOfOutput[O]: ...
@overload
def define_job(*, name: str | None = None) -> _Decorator: ...
def define_job(
    handler: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    input: Any = declared.UNDECLARED,
    output: Any = declared.UNDECLARED,
) -> Any:
    """Make a handler `(step, payload)` or `(step)`, which takes no input, a job.

    `name` is the function's name with dashes unless given; `input` and `output` are its
    annotations unless given, and may be any type that pydantic reads. Raises TypeError for what
    cannot be a job: an async handler, another order, a bad name, a type that JSON cannot give.
    """

    def decorate(handler: Callable[..., Any]) -> Job[Any, Any]:
        return _define(handler, name, input, output)

    return decorate if handler is None else decorate(handler)


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
    if input is declared.UNDECLARED and len(parameters) == 2:
        input = declared.annotation(handler, parameters[1])
    if output is declared.UNDECLARED:
        output = declared.annotation(handler, "return")
    if len(parameters) == 1:
        if input is not declared.UNDECLARED:
            raise TypeError(f"{called} has an input, and its handler must take it: (step, payload)")
        handler, input = handlers.without_payload(handler), NoInput()
    job = Job[Any, Any](handler, called, input, output)
    try:
        job._text = importing.source_of(job._code.co_filename)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(
            f"the handler of {called} has no code to show the place of: wrap it in a function"
        ) from None
    for role in ("input", "output"):
        try:
            getattr(job, role)
        except TypeError as error:
            raise TypeError(f"the {role} of {called}: {error}") from None
    return job
