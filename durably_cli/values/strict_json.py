"""Strict JSON, read and written: no name twice, no NaN or Infinity, no half characters, and neither
nesting nor integers that a reader could not follow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import accumulate
from json.encoder import encode_basestring_ascii
from typing import Any, NewType

Json = NewType("Json", str)
"""A JSON text, ASCII only and strict, as it stands in a journal."""

DEEPEST = 200
"""How deep a value may be nested: pydantic reads no deeper, and no stack is too full for that."""

LONGEST_INTEGER = 4300
"""How many digits an integer may have: Python reads no more by default."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_NO_BRACKETS = r"[^\[\]{}]+"
_DIGITS = "0123456789"
_ESCAPE = r"\\(?:u([0-9a-f]{4})|.)"


FILE_MARK = '"$file"'
"""What stands in the JSON of a result that names files: see `values.file`."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values. ValueError if a name is given twice."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} is given twice")
    return fields


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large for a number")
    return number


DECODER = json.JSONDecoder(object_pairs_hook=once, parse_constant=_refuse, parse_float=_finite)
"""Reads strict JSON. ValueError for anything else, RecursionError for what is nested too deeply."""

SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
"""The value that begins at a place of a JSON text, and its end; StopIteration if none does."""

_STRICT = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def to_json(value: object) -> Json:
    """A plain value as strict, compact JSON.

    ValueError for NaN, Infinity and an integer that is too long, TypeError for what JSON has not,
    RecursionError for a circle.
    """
    text = "".join(_parts_of(value, 0))
    if len(text) > LONGEST_INTEGER and _has_too_long_integer(text):
        raise ValueError(f"an integer has more than {LONGEST_INTEGER:,} digits")
    return text  # type: ignore[return-value]  # to call Json takes 0.1 us


def as_read(value: object) -> str:
    """The same of a value that was read from JSON, however long its integers are."""
    return "".join(_parts_of(value, 0))


def _made_once() -> Callable[[object, int], Iterable[str]]:
    """What `JSONEncoder.encode` makes for every value, which takes longer than a small one."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: (_STRICT.encode(value),)
    parts: Callable[[object, int], Iterable[str]] = make(
        None, _STRICT.default, encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return parts


_parts_of = _made_once()


def parse(text: str | bytes) -> Any:
    """A JSON text as a plain value. ValueError for what `to_json` refuses, and for a name twice."""
    text = text if isinstance(text, str) else text.decode()
    if is_too_deep(text):
        raise ValueError(f"it is nested too deeply: more than {DEEPEST} levels")
    value = DECODER.decode(text)
    if has_lone_surrogate(to_json(value)):
        raise ValueError("a lone surrogate is not text")
    return value


def is_too_deep(text: str) -> bool:
    """Are lists and objects nested deeper than a line may hold them, in any reader's stack?"""
    if len(text) <= DEEPEST or text.count("[") + text.count("{") <= DEEPEST:
        return False
    brackets = re.sub(_NO_BRACKETS, "", re.sub(_STRING, "", text))
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in brackets)
    return max(depths, default=0) > DEEPEST


def _has_too_long_integer(text: str) -> bool:
    return _has_long_run_of_digits(text) and _has_long_run_of_digits(re.sub(_STRING, "", text))


def _has_long_run_of_digits(text: str) -> bool:
    """Are more than LONGEST_INTEGER digits in a row? One in so many characters is looked at."""
    many = LONGEST_INTEGER + 1
    for place in range(many - 1, len(text), many):
        if text[place] in _DIGITS:
            before, after = text[place - many + 1 : place], text[place : place + many]
            left, right = before.rstrip(_DIGITS), after.lstrip(_DIGITS)
            if len(before) - len(left) + len(after) - len(right) >= many:
                return True
    return False


def is_text(text: str) -> bool:
    """Can this be written as UTF-8? (An argument whose bytes were not cannot.)"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """The text with lone surrogates spelled out, so that it can be written.

    It is asked past its class, which may be one of the user's own.
    """
    return str.encode(text, "utf-8", "backslashreplace").decode()


def has_lone_surrogate(text: str) -> bool:
    """Does a JSON text escape half a surrogate pair? (No JSON reader but Python's takes that.)"""
    if "\\ud" not in text:
        return False
    end_of_high = -1
    for escape in re.finditer(_ESCAPE, text):
        unit = int(escape[1] or "0", 16)
        if 0xDC00 <= unit <= 0xDFFF:
            if escape.start() != end_of_high:
                return True
            end_of_high = -1
        elif end_of_high >= 0:
            return True
        elif 0xD800 <= unit <= 0xDBFF:
            end_of_high = escape.end()
    return end_of_high >= 0
