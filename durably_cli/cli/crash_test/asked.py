"""What a handler asks its run for: the step's name, where, and with what.

An attempt that asks for the same name with something else is given results of something else.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import re
import sys
import uuid
from functools import partial
from hashlib import sha256
from os import PathLike, fspath
from threading import get_ident
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from pydantic import BaseModel

from durably_cli.cli.crash_test.notes import NoteWriter
from durably_cli.journal.masking import Secrets
from durably_cli.steps.code import code_behind
from durably_cli.steps.scope import Scope

_DEEPEST, _MOST_ITEMS, _SHOWN = 5, 10_000, 60
_OF_DURABLY = ("self", "name", "type", "prompt", "job")
_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, decimal.Decimal, uuid.UUID),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
)


def note_what_is_asked(notes: NoteWriter, project: str) -> None:
    """From now on, note each step that a handler of this process asks for."""
    enter = Scope.enter

    def entering(self: Scope, name: str, caller: FrameType) -> str:
        found = enter(self, name, caller)
        asking = sys._getframe(1)
        called = asking.f_locals.get("fn", asking.f_locals.get("body"))
        notes.write(
            "asked",
            run=asking.f_locals["self"].run_id,
            step=str(found),
            method=asking.f_code.co_name,
            call=_place(caller.f_code, caller.f_lineno, project),
            function=_function(called, project),
            args=_args(asking.f_locals, self._secrets),
            in_order=get_ident() == self.thread and not caller.f_code.co_flags & _ASYNC,
        )
        return found

    Scope.enter = entering  # type: ignore[method-assign]


_ASYNC = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR


def _place(code: CodeType, line: int, project: str) -> str:
    return f"{code.co_filename.removeprefix(project + '/')}:{line}"


def _function(called: object, project: str) -> str:
    code = code_behind(called) if called is not None else None
    if code is None:
        return ""
    return f"{_place(code, code.co_firstlineno, project)} {code.co_name}"


def _args(given: dict[str, Any], secrets: Secrets | None) -> dict[str, list[str]]:
    """What each argument is, as a digest and a text to show."""
    found = dict[str, Any]()
    for name, value in given.items():
        if name == "args":
            found |= {f"argument {number}": each for number, each in enumerate(value, 1)}
        elif name not in _OF_DURABLY and not callable(getattr(value, "plan", None)):
            found[name] = value
    return {name: _digest(value, secrets) for name, value in found.items()}


def _digest(value: object, secrets: Secrets | None) -> list[str]:
    try:
        text = shape_of(value)
    except Exception:  # of the user's: no argument is to fail for being looked at
        text = type(value).__qualname__
    is_secret = secrets is not None and secrets.held_by(text) is not None
    shown = "a secret" if is_secret else text
    return [sha256(text.encode("utf-8", "replace")).hexdigest()[:16], shown[:_SHOWN]]


def shape_of(value: object, depth: int = 0) -> str:
    """A text that is the same for equal values of any process; of what is opaque its type."""
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, PathLike):
        return repr(fspath(value))
    if depth > _DEEPEST:
        return type(value).__qualname__
    return _shape_of_parts(value, depth + 1)


def _shape_of_parts(value: object, depth: int) -> str:
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > _MOST_ITEMS:
        return f"{len(value)} of {type(value).__qualname__}"
    if isinstance(value, dict):
        parts = (f"{shape_of(k, depth)}: {shape_of(v, depth)}" for k, v in value.items())
        return "{" + ", ".join(sorted(parts)) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(shape_of(each, depth) for each in value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shape_of(each, depth) for each in value) + "]"
    if isinstance(value, partial):
        return shape_of([value.func, value.args, value.keywords], depth)
    if isinstance(value, MethodType):
        return shape_of([value.__func__, value.__self__], depth)
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return f"{value.__qualname__}{shape_of(cells, depth) if cells else ''}"
    if isinstance(value, BaseModel) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        return f"{type(value).__qualname__}{shape_of(dict(vars(value)), depth)}"
    return re.sub(r"0x[0-9a-f]+", "", getattr(value, "__qualname__", type(value).__qualname__))
