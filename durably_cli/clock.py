"""The wall clock, as journals write it and people read it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds and a Z."""
    return write(datetime.now(UTC))


def write(moment: datetime) -> str:
    """A moment in UTC as a journal writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(at: str) -> datetime:
    """The moment that a journal's time names. ValueError if it names none."""
    return datetime.fromisoformat(at)
