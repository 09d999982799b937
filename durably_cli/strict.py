"""Strict JSON: no name twice, no NaN or Infinity, and no nesting that a reader could not follow."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

DEEPEST = 200
"""How deep a value may be nested: pydantic reads no deeper, and no stack is too full for that."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_NO_BRACKETS = r"[^\[\]{}]+"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
"""Reads strict JSON. ValueError for anything else, RecursionError for what is nested too deeply."""


def is_too_deep(text: str) -> bool:
    """Are lists and objects nested deeper than a line may hold them, in any reader's stack?"""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    brackets = re.sub(_NO_BRACKETS, "", re.sub(_STRING, "", text))
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in brackets)
    return max(depths, default=0) > DEEPEST
