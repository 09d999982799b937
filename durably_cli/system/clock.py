"""The wall clock, as journals write it and people read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time_ns as time_ns  # as others ask for it, here


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds and a Z."""
    second, ms = divmod(time_ns() // 1_000_000, 1000)
    last, text = _last.written
    if second != last:
        text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
        _last.written = second, text
    fraction = _fractions.get(ms)  # saves 0.2 us
    if fraction is None:
        fraction = _fractions[ms] = f".{ms:03}Z"
    return text + fraction


class _Last:
    """The second that was written last, and how, and that was read: many events have the same."""

    written = (-1, "")
    read = ("", 0)


_last = _Last()
_fractions: dict[int, str] = {}
"""How milliseconds are written."""


def utc_now() -> datetime:
    """The same, as a moment."""
    return moment_at(time_ns())


def moment_at(ns: int) -> datetime:
    """The moment so many nanoseconds after 1970."""
    return datetime.fromtimestamp(ns / 1e9, UTC)


def format_time(moment: datetime) -> str:
    """A moment in UTC as a journal writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_due(moment: datetime) -> str:
    """The same of a time before which nothing may begin: no part of a millisecond too early."""
    missing = timedelta(microseconds=-moment.microsecond % 1000)
    return format_time(moment + min(missing, _LAST - moment))


_LAST = datetime.max.replace(tzinfo=UTC)


def parse_time(at: str) -> datetime:
    """The moment that a journal's time names. ValueError if it names none."""
    return datetime.fromisoformat(at)


def milliseconds_of(at: str) -> int:
    """The same in milliseconds since 1970."""
    text, second = _last.read
    if at[:19] != text or len(at) != 24:
        moment = round(parse_time(at).timestamp() * 1000)
        if len(at) == 24:
            _last.read = at[:19], moment - moment % 1000
        return moment
    return second + int(at[20:23])  # of many events in one second: saves 1 us
