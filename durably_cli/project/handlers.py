"""What can be a job's handler: a function (step, payload), or (step), be it plain or async.

For what cannot, the error says what to write in its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

from durably_cli.steps.step import Step
from durably_cli.values import declared
from durably_cli.values.untrusted import repr_of

_PAYLOADS = ("payload", "input")
"""What people call the second parameter."""

_Kind = inspect.Parameter

_REST = (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)


def refuse_other(given: object) -> None:
    """TypeError unless a handler was given: `@define_job("name")` gives a text."""
    if callable(given):
        return
    named = f"define_job(name={given!r})" if isinstance(given, str) else "define_job"
    raise TypeError(
        f"define_job was given {repr_of(given):.80}, which is no function; write @{named} above one"
    )


def parameters_of(handler: Callable[..., Any], job: str) -> list[str]:
    """The names of its parameters: the step's, and the payload's or those of the fields.

    TypeError for what cannot be the handler of this job.
    """
    _refuse_kind(handler, job)
    try:
        found = inspect.signature(handler).parameters
    except (TypeError, ValueError):
        raise TypeError(
            f"the handler of {job} does not say what it takes: wrap it in a function "
            "(step, payload)"
        ) from None
    names, kinds = list(found), [each.kind for each in found.values()]
    if names[:1] in (["self"], ["cls"]):
        raise TypeError(
            f"the handler of {job} takes {names[0]}: a method cannot be a job, for nothing makes "
            "its object; write a function at the top of the module"
        )
    if kinds == [_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD]:  # of a decorator that wraps the handler
        return names
    takes_fields = bool(fields_in(found))
    if not takes_fields and not (1 <= len(names) <= 2 and _are_by_place(*kinds)):
        raise TypeError(_wrong_parameters(job, found))
    _refuse_order(handler, job, names[:1] if takes_fields else names)
    _refuse_other_step(handler, job, found)
    return names


def fields_in(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """The keyword-only parameters, if that is what the input of the job is."""
    names, kinds = list(parameters), [each.kind for each in parameters.values()]
    are_fields = _are_by_place(*kinds[:1]) and set(kinds[1:]) == {_Kind.KEYWORD_ONLY}
    return names[1:] if are_fields else []


def is_async_handler(handler: Callable[..., Any]) -> bool:
    """Is what it gives to be awaited?"""
    found = inspect.unwrap(handler)
    return any(map(inspect.iscoroutinefunction, (handler, found, type(found).__call__)))


def handled(handler: Callable[..., Any], step: Step, value: Any) -> Any:
    """What a handler returns; an async one is run on an event loop of its own."""
    if not step.is_async:
        return handler(step, value)
    return step.run_handler(lambda: handler(step, value))


def handled_in_memory(handler: Callable[..., Any], value: Any) -> Any:
    """What a handler returns that is given a step in memory."""
    if not is_async_handler(handler):
        return handler(Step(), value)
    from durably_cli.steps.loop_step import AsyncStep  # and asyncio with it

    return handled(handler, AsyncStep(), value)


def awaited(given: Any) -> None:
    """Await what a hook gives, if it is async."""
    if inspect.isawaitable(given):
        import asyncio  # loads slowly, and few hooks are

        async def until_end() -> None:
            await given

        asyncio.run(until_end())


def refuse_step_of_other(handler: Callable[..., Any], job: str, step: object = None) -> None:
    """TypeError if a handler is called with the step of the other kind of handlers."""
    if isinstance(step, Step) and step.is_async != is_async_handler(handler):
        needed = "a Step()" if step.is_async else "an AsyncStep()"
        kind = "a plain function" if step.is_async else "async"
        raise TypeError(f"the handler of {job} is {kind}: call it with {needed}")


def refuse_running_loop(job: str) -> None:
    """TypeError on an event loop: that of an async handler cannot run in the same thread."""
    import asyncio  # loads slowly, and a job that is async has it

    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise TypeError(
            f"{job} is async, and was triggered on an event loop, which it would block: "
            "await asyncio.to_thread(job.trigger, ...)"
        )


def without_payload(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, called as all others are."""

    @wraps(handler)
    def call(step: Step, payload: None = None) -> Any:
        return handler(step)

    return call


def _refuse_kind(handler: Callable[..., Any], job: str) -> None:
    if isinstance(handler, type):
        raise TypeError(
            f"{job} is a class, and a job is a function: def {handler.__name__}(step, payload)"
        )
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TypeError(
            f"the handler of {job} is a generator, for it has a yield; collect what it yields in a "
            "list, and return that"
        )


def _are_by_place(first: object = None, *others: object) -> bool:
    """Does a call without keywords give each parameter of these kinds its value?"""
    by_place = {_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD}
    return first in by_place and by_place | {_Kind.VAR_POSITIONAL} >= set(others)


def _wrong_parameters(job: str, found: Mapping[str, _Kind]) -> str:
    what = f"the handler of {job} must take (step), (step, payload) or (step, *, fields...), not "
    what += _as_written(found)
    first, *others = [name for name, each in found.items() if each.kind not in _REST] or [""]
    if rest := [name for name, each in found.items() if each.kind in _REST]:
        return f"{what}: name each field of its input in place of {' and '.join(rest)}"
    if others[1:]:
        names = f"{', '.join(others[:-1])} and {others[-1]}"
        fields = f"({first}, *, {', '.join(others)})"
        what += f": make {names} fields of its input, {fields}, or of one model, the payload"
    return what


def _as_written(found: Mapping[str, _Kind]) -> str:
    """The parameters between their parentheses, without types and defaults."""
    bare = [each.replace(annotation=_Kind.empty, default=_Kind.empty) for each in found.values()]
    return str(inspect.Signature(bare))


def _refuse_order(handler: Callable[..., Any], job: str, names: list[str]) -> None:
    """TypeError if the payload comes first, or if it is all that is taken."""
    first, *others = names
    if any(_is_step(handler, name) for name in others):
        is_wrong = not _is_step(handler, first)
    else:
        of_payload = _is_step(handler, first) is False or first in _PAYLOADS
        is_wrong = not others and of_payload
    if is_wrong:
        raise TypeError(
            f"the handler of {job} takes ({', '.join(names)}), and it is called with the step "
            f"first: write it as (step, {first})"
        )


def _refuse_other_step(handler: Callable[..., Any], job: str, found: Mapping[str, _Kind]) -> None:
    """TypeError if a plain function takes the step of an async one, or the other way round."""
    step = next(iter(found))
    annotation = _annotation(handler, step)
    if not isinstance(annotation, type) or not issubclass(annotation, Step):
        return
    is_async = is_async_handler(handler)
    written = f"{handler.__name__}{_as_written(found).replace(step, f'{step}: AsyncStep', 1)}"
    if is_async and not annotation.is_async:
        raise TypeError(
            f"the handler of {job} is async, and takes the Step of a plain function: write "
            f"async def {written}, and await its steps"
        )
    if annotation.is_async and not is_async:
        raise TypeError(
            f"the handler of {job} is a plain function, and takes an AsyncStep: write "
            f"async def {written}, or take a Step"
        )


def _is_step(handler: Callable[..., Any], name: str) -> bool | None:
    """Is it this parameter that takes the step? None if nothing says so."""
    if name == "step":
        return True
    annotation = _annotation(handler, name)
    is_class = isinstance(annotation, type) and not getattr(annotation, "_is_protocol", False)
    return issubclass(annotation, Step) if is_class else None


def _annotation(handler: Callable[..., Any], name: str) -> Any:
    try:
        return declared.annotation(handler, name)
    except TypeError:  # which is said of the payload's later
        return None
