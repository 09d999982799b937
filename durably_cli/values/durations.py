"""Spans of time, as people write them."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TypeAlias

Duration: TypeAlias = float | str | timedelta
"""Seconds, a timedelta, or a text such as `90s`, `1h30m` or `3d`."""

LONGEST = 100 * 366 * 86_400.0
"""The longest span, in seconds: a hundred years, which every calendar has room for."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PART = r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])"


def seconds_in(duration: Duration) -> float:
    """The seconds of a span of time; a text of digits only is seconds.

    TypeError for what is no span, ValueError for a negative, an endless or an unreadable one.
    """
    if isinstance(duration, str):
        seconds = _read(duration.strip())
    elif isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        seconds = math.inf if duration > LONGEST else duration  # no float holds some ints
    else:
        raise TypeError(
            f"a span of time is seconds, a timedelta or a text such as '90s' or '1h30m', "
            f"not {duration!r:.80}"
        )
    if seconds < 0 or math.isnan(seconds):
        raise ValueError(f"{duration!r:.80} is no span of time: it is negative, or no number")
    if seconds > LONGEST:
        raise ValueError(f"{duration!r:.80} is no span of time: it is longer than 100 years")
    return float(seconds)


def _read(text: str) -> float:
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_PART}\s*)+", text):
        raise ValueError(f"{text!r:.80} is no span of time; it reads 90s, 5m, 1h30m or 3d")
    return sum(float(count) * _SECONDS[unit] for count, unit in re.findall(_PART, text))


def span(seconds: float) -> str:
    """How long, for people: 30 ms, 4.2 s, 3 m 20 s, 2 h 5 m, 3 d 4 h."""
    seconds = max(0.0, seconds)
    if seconds < 0.0995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, lower, lower_size in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "m", 60),
        ("m", 60, "s", 1),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // lower_size} {lower}"
    return f"{whole} s"
