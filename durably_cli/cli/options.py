"""Options as they are typed, made values: labels and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from durably_cli.errors import InvalidInput, UsageError
from durably_cli.values.strict_json import is_text

_SPAN = r"(\d+)\s*([smhdw])"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_labels(given: Sequence[str]) -> dict[str, str]:
    """The labels of `--label key=value`. UsageError for what is none."""
    labels = {}
    for label in given:
        name, equals, value = label.partition("=")
        if not (name and equals):
            raise UsageError(f"{label!r} is no label; it reads key=value")
        labels[argument_text(name)] = argument_text(value)
    return labels


def read_moment(given: str, option: str) -> datetime:
    """The moment an option means: a span such as 45m, 12h, 2d or 1w, or an ISO date or time."""
    found = re.fullmatch(_SPAN, given.strip())
    try:
        if found:
            return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        return datetime.fromisoformat(given.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {given!r} is no time; it reads 45m, 12h, 2d, 1w, 2026-11-23 or "
            "2026-11-23T06:00"
        ) from None


def argument_text(given: str) -> str:
    """The text of an argument; its bytes must have been UTF-8."""
    if not is_text(given):
        raise InvalidInput(f"{given!r} is not UTF-8")
    return given
