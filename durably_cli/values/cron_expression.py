"""A crontab's five fields: read as Debian's cron reads them, and when they are due.

What is due when follows from `cronsim`, which does at the change of clocks what cron does. It knows
more than cron does (`L`, `#`, seconds), so what it is given is looked at before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import islice, takewhile
from operator import gt

from cronsim import CronSim, CronSimError

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

_WORDS = {
    **dict.fromkeys(("@yearly", "@annually"), "0 0 1 1 *"),
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    **dict.fromkeys(("@daily", "@midnight"), "0 0 * * *"),
    "@hourly": "0 * * * *",
}

_RANGES = ("0 to 59", "0 to 23", "1 to 31", "1 to 12, or jan to dec", "0 to 7, or sun to sat")

_TERM = re.compile(r"(\*|([0-9]+|[a-z]{3})(-([0-9]+|[a-z]{3}))?)(/[0-9]+)?", re.IGNORECASE)

_AROUND = timedelta(hours=3)
"""What a change of the clock can concern, before and after it."""


class CronExpression:
    """The fields of a crontab line, as sets of numbers; Sunday is 0.

    With `day_and`, a day has to fit both the day of the month and the one of the week; else one of
    them. ValueError for what cron does not take, and for what is never due.
    """

    def __init__(self, given: str) -> None:
        self.text = _five_fields(given)
        try:
            read = CronSim(self.text, datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise _refused(self.text) from error
        if next(read, None) is None:
            raise _never(given)
        self.minutes, self.hours = sorted(read.minutes), sorted(read.hours)
        self.days, self.months = sorted(read.days), sorted(read.months)
        self.weekdays = sorted({int(str(day)) % 7 for day in read.weekdays})
        self.day_and = read.day_and

    def times(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        """When it is due from then on, in that zone; for ever, or until a time has none after."""
        yield from CronSim(self.text, after.astimezone(zone))

    def is_as_written(self, time: datetime) -> bool:
        """Is its own time there, and for the first time? Of others cron runs it, not systemd."""
        return time.minute in self.minutes and time.hour in self.hours and not time.fold

    def changed_by_the_clock(self, after: datetime, zone: tzinfo) -> list[datetime]:
        """The times within a year that are not as they are written, the first of each change."""
        found = list[datetime]()
        for change in changes_of_clock(after, zone):
            near = self.times(change - _AROUND, zone)
            hours = takewhile(partial(gt, change + _AROUND), near)
            found += islice((each for each in hours if not self.is_as_written(each)), 1)
        return found


def changes_of_clock(after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The hours of the next year after which the clock of a zone has another offset."""
    hours = (after.astimezone(UTC) + timedelta(hours=n) for n in range(366 * 24))
    offset = after.astimezone(zone).utcoffset()
    for hour in hours:
        now = hour.astimezone(zone).utcoffset()
        if now != offset:
            offset = now
            yield hour


def _five_fields(given: str) -> str:
    """The five fields, with one space between them."""
    words = given.split()
    if len(words) == 1 and words[0].startswith("@"):
        if words[0].lower() == "@reboot":
            raise ValueError("@reboot is no time; what died is taken up by schedule --tick")
        if words[0].lower() not in _WORDS:
            raise ValueError(f"{given!r} is none of {', '.join(_WORDS)}")
        return _WORDS[words[0].lower()]
    if len(words) == 6:
        raise ValueError(f"{given!r} has six fields; cron has five, and no seconds or years")
    if len(words) != 5:
        raise ValueError(f"{given!r} is no five fields: {', '.join(FIELDS)}")
    for number, word in enumerate(words):
        for term in word.split(","):
            found = _TERM.fullmatch(term)
            if found is None or (found[5] and found[1] != "*" and not found[3]):
                raise _no_field(number, word)
    return " ".join(words)


def _refused(text: str) -> ValueError:
    """The error for the field that cronsim refuses; if it is none by itself, no day fits."""
    for number, word in enumerate(text.split()):
        others = ["*"] * 5
        others[number] = word
        try:
            CronSim(" ".join(others), datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError:
            return _no_field(number, word)
    return _never(text)


def _no_field(number: int, word: str) -> ValueError:
    takes = f"*, {_RANGES[number]}, a-b, */n, a-b/n, and lists of these"
    return ValueError(f"{word!r} is no {FIELDS[number]}; it takes {takes}")


def _never(given: str) -> ValueError:
    return ValueError(f"{given!r} is never due: no such month has such a day")
