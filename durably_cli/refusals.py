"""Why a value is not plain JSON, and what to do about it."""

from __future__ import annotations

import math
from typing import Any

from durably_cli.errors import ValueRefused
from durably_cli.strict import LONGEST_INTEGER, is_text

ENDLESS = "it is nested too deeply, or contains itself"


def refusal(value: Any, error: Exception) -> ValueRefused:
    """What to say of a value that was not written as JSON for this error."""
    if isinstance(error, RecursionError):
        return ValueRefused("$", ENDLESS)
    try:
        return explained(value) or ValueRefused("$", str(error))
    except RecursionError:
        return ValueRefused("$", str(error))


def explained(value: Any, path: str = "$") -> ValueRefused | None:
    """The first part of a value that is not plain JSON, and what to do about it."""
    if isinstance(value, str):
        if not is_text(value):
            return ValueRefused(path, "the text has a lone surrogate, which no JSON reader takes")
    elif isinstance(value, int) and abs(value) >= 10**LONGEST_INTEGER:
        return ValueRefused(
            path, f"an integer of more than {LONGEST_INTEGER:,} digits is not JSON; return a text"
        )
    elif isinstance(value, float) and not math.isfinite(value):
        return ValueRefused(path, f"{value} is not JSON; return None or a text in its place")
    elif isinstance(value, dict):
        for key, item in value.items():
            found = explained(key, f"{path} (a key)") or explained(item, f"{path}[{key!r}]")
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if found := explained(item, f"{path}[{index}]"):
                return found
    elif value is not None and not isinstance(value, (bool, int, float)):
        return ValueRefused(
            path,
            f"a {type(value).__qualname__} is not plain JSON; annotate what the function returns, "
            "or give `returns=` to step.run",
        )
    return None
