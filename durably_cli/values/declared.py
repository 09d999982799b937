"""What functions declare that they take and return: their annotations, resolved."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

UNDECLARED: Any = object()
"""Stands for a type that was not declared."""


def returned_by(fn: Callable[..., Any]) -> Any:
    """The type a callable declares to return, or UNDECLARED.

    Partials, callable objects, methods and classes are seen through. TypeError if the annotation
    cannot be resolved.
    """
    function: Callable[..., Any] = fn
    if not isinstance(fn, FunctionType):  # most are, and pay nothing more
        while isinstance(fn, functools.partial):
            fn = fn.func
        if isinstance(fn, type):
            return fn if fn.__module__ != "builtins" else UNDECLARED
        if not inspect.isroutine(fn):
            fn = type(fn).__call__
        function = getattr(fn, "__func__", fn)
    if "return" not in getattr(function, "__annotations__", ()):
        return UNDECLARED
    declared = _RETURNED.get(function)
    if declared is None:
        declared = _RETURNED[function] = annotation(function, "return")
    if declared is typing.Self and inspect.ismethod(fn):
        owner = fn.__self__
        return owner if isinstance(owner, type) else type(owner)
    return declared


_RETURNED: WeakKeyDictionary[Callable[..., Any], Any] = WeakKeyDictionary()
"""What functions declare to return: to resolve that takes longer than to replay a step."""


def annotation(fn: Callable[..., Any], name: str) -> Any:
    """One annotation of a function, resolved; UNDECLARED if there is none.

    TypeError if it cannot be resolved.
    """
    annotations = getattr(fn, "__annotations__", {})
    if name not in annotations:
        return UNDECLARED
    written = annotations[name]
    origin = fn
    while hasattr(origin, "__wrapped__"):
        origin = origin.__wrapped__
    try:
        found = typing.get_type_hints(
            SimpleNamespace(__annotations__={name: written}),
            globalns=getattr(origin, "__globals__", {}),
            localns=_type_parameters(origin),
            include_extras=True,
        )
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        what = "return annotation" if name == "return" else f"annotation of {name!r}"
        raise TypeError(
            f"the {what} {written!r} of {getattr(fn, '__qualname__', fn)!s} cannot be resolved "
            f"({error}): import or define it at the top of the module, not only for type checkers"
        ) from None
    return found[name]


def _type_parameters(fn: Any) -> dict[str, Any]:
    """The type parameters of a function, `def f[T]`, and of the classes that it is written in.

    A text that names one cannot be resolved by the module's names.
    """
    found: dict[str, Any] = {}
    owner: Any = SimpleNamespace(**getattr(fn, "__globals__", {}))
    for name in getattr(fn, "__qualname__", "").split(".")[:-1]:
        owner = getattr(owner, name, None)
        found |= _own_parameters(owner)
    return found | _own_parameters(fn)


def _own_parameters(owner: Any) -> dict[str, Any]:
    return {each.__name__: each for each in getattr(owner, "__type_params__", ())}
