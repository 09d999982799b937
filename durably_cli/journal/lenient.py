"""JSON that strict readers refuse, and that durably reads all the same.

Version 0.1 wrote names twice into the data of log lines, and integers of more digits than Python
reads by default. And what is damaged is looked at, to see what it was.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from durably_cli.values.strict_json import DECODER, once

_FEW_DIGITS = 640
"""So many any Python reads, whatever its limit."""

MANY_DIGITS = re.compile(rb"\d{%d}" % (_FEW_DIGITS + 1))
"""Finds what may be an integer that some Python does not read."""


@contextmanager
def any_integers() -> Iterator[None]:
    """Inside, Python reads and writes integers of any length."""
    with _LIMIT:
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            yield
        finally:
            sys.set_int_max_str_digits(before)


_LIMIT = RLock()
"""One thread at a time lifts Python's limit, for that is the whole process's."""


def _integer_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) <= _FEW_DIGITS else digits


def _integer_or_too_large(digits: str) -> int:
    return int(digits) if len(digits) <= _FEW_DIGITS else 2**63


def read_log_line(text: str) -> tuple[Any, int]:
    """The object that is the line of a log, and its end; as `raw_decode` of a decoder.

    Of a name that is twice in its data the last one counts, and an integer that is too long for
    some Python is text. ValueError for a name that is twice in the line itself.
    """
    last: list[tuple[str, Any]] = []

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal last
        last = pairs
        return dict(pairs)

    decoder = json.JSONDecoder(
        object_pairs_hook=read,
        parse_int=_integer_or_text,
        parse_float=DECODER.parse_float,
        parse_constant=DECODER.parse_constant,
    )
    found = decoder.raw_decode(text)
    once(last)  # the outermost object is read last
    return found


PEEK = json.JSONDecoder(parse_int=_integer_or_too_large).raw_decode
"""Reads any JSON to see what it is: of an integer that is too long, that it is too large."""
