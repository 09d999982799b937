"""An exception as a journal holds it, so that a resume can raise it again.

It is made again without its `__init__`, which may have effects: its class, which must have been
imported, its arguments, and its attributes as far as JSON holds them. That is tried when a failure
is written. What would be of another class then, or say something else, comes back as a StepError.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from durably_cli.errors import Abort, StepError
from durably_cli.journal.blobs import LIMIT
from durably_cli.journal.step_events import StepFailed
from durably_cli.values import convert
from durably_cli.values.plain import PLAIN
from durably_cli.values.untrusted import add_note, class_path, safely, text_of, variables_of

_ENDS_OF_ATTEMPTS = "durably_cli.engines"
"""The package whose exceptions no handler sees."""

_BUILTIN = {each for each in vars(builtins).values() if isinstance(each, type)}

IN_MEMORY_ONLY = "__durably_"
"""What the names of attributes begin with that durably gives an exception."""


def parts_of(error: BaseException) -> dict[str, Any]:
    """The class of an exception, and its `args` and `attributes` if they make it again.

    `lost` are the names of attributes that are no plain JSON.
    """
    named = {"class": class_path(error)}
    parts = safely(_plain_parts, error)
    if parts is None:
        return named
    again = safely(_made_of, named | parts)
    makes_it_again = type(again) is type(error) and text_of(again) == text_of(error)
    return named | parts if makes_it_again else named


def is_exact(failure: StepFailed) -> bool:
    """Is the exception that is raised again the same in all that a handler may look at?"""
    return "args" in failure.raised and "lost" not in failure.raised


def raised_again(failure: StepFailed) -> BaseException:
    """The exception of a failure, with a note that it was replayed."""
    error = safely(_made_of, failure.raised)
    if error is None:
        what = failure.error.type, failure.error.message
        error = StepError(": ".join(filter(None, what)))
    note = f"replayed: step {failure.name!r} failed so at {failure.at}, and the handler went on"
    add_note(error, note)
    return error


def _plain_parts(error: BaseException) -> dict[str, Any]:
    """Its arguments and attributes as plain JSON. ValueError or TypeError if they are not."""
    made_of: tuple[Any, ...] = tuple(_built_in_part_of(type(error)).__reduce__(error))
    own = {
        name: value
        for name, value in dict(*made_of[2:]).items()
        if not name.startswith(IN_MEMORY_ONLY)
    }
    attributes = {name: value for name, value in own.items() if safely(_is_plain, {name: value})}
    lost = sorted(own.keys() - attributes.keys())
    if _has_slots(type(error)) or any(hasattr(type(error), name) for name in lost):
        raise ValueError("it would say something else")
    plain: dict[str, Any] = _as_plain({"args": list(made_of[1]), "attributes": attributes})
    return plain | ({"lost": lost} if lost else {})


def _has_slots(cls: type[BaseException]) -> bool:
    """Have its instances attributes that are not in their `__dict__`?"""
    bases = type.__dict__["__mro__"].__get__(cls)
    return any(each.__dict__.get("__slots__") for each in bases if each not in _BUILTIN)


def _is_plain(value: object) -> bool:
    return bool(_as_plain(value))


def _as_plain(value: object) -> Any:
    text, back = convert.round_trip(PLAIN, value)
    if len(text) > LIMIT:
        raise ValueError("it is too large")
    return back


def _made_of(parts: Mapping[str, Any]) -> BaseException | None:
    """The exception of these parts; None if its class is not there, or the parts do not make it."""
    module, _, name = parts["class"].partition(":")
    cls = attrgetter(name)(sys.modules[module])
    if not issubclass(cls, BaseException) or "args" not in parts:
        return None
    if issubclass(cls, (Abort, KeyboardInterrupt)) or module.startswith(_ENDS_OF_ATTEMPTS):
        return None  # durably writes no such failure
    base, args = _built_in_part_of(cls), tuple(parts["args"])
    error: BaseException = base.__new__(cls, *args)
    base.__init__(error, *args)
    for attribute, value in parts["attributes"].items():
        if hasattr(base, attribute):
            object.__setattr__(error, attribute, value)
        else:
            variables_of(error)[attribute] = value
    return error


def _built_in_part_of(cls: type[BaseException]) -> type[BaseException]:
    """The nearest of Python's own classes that it is made of."""
    bases: tuple[type[BaseException], ...] = type.__dict__["__mro__"].__get__(cls)
    return next(each for each in bases if each in _BUILTIN)
