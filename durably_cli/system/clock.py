"""The wall clock, as journals write it and people read it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds and a Z."""
    second, ms = divmod(time.time_ns() // 1_000_000, 1000)
    last, text = _last.written
    if second != last:
        text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
        _last.written = second, text
    return f"{text}.{ms:03}Z"


class _Last:
    """The second that was written last, and how: many events have the same one."""

    written = (-1, "")


_last = _Last()


def format_time(moment: datetime) -> str:
    """A moment in UTC as a journal writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(at: str) -> datetime:
    """The moment that a journal's time names. ValueError if it names none."""
    return datetime.fromisoformat(at)
