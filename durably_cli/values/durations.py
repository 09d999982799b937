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
