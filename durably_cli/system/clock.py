"""The wall clock, as journals write it and people read it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds and a Z."""
    ms = time.time_ns() // 1_000_000
    return f"{_second(ms // 1000)}.{ms % 1000:03}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def write(moment: datetime) -> str:
    """A moment in UTC as a journal writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(at: str) -> datetime:
    """The moment that a journal's time names. ValueError if it names none."""
    return datetime.fromisoformat(at)
