"""The times of a cron expression in the words of systemd, and of launchd."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from durably_cli.values.cron_expression import CronExpression

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")

_ALL = {"Minute": 60, "Hour": 24, "Day": 31, "Month": 12, "Weekday": 7}
"""How many values a key of launchd has."""

_MOST = 1_000
"""How many dictionaries a plist may have of us."""


def on_calendar(due: CronExpression) -> list[str]:
    """The OnCalendar= of a timer, exactly: two, where one of two kinds of days has to fit."""
    hours, minutes = _numbers(due.hours, 24), _numbers(due.minutes, 60)
    months, days = _numbers(due.months, 12), _numbers(due.days, 31)
    of_week = "" if len(due.weekdays) == 7 else ",".join(_from_monday(due.weekdays)) + " "
    time = f"{hours}:{minutes}:00"
    if due.day_and:
        return [f"{of_week}*-{months}-{days} {time}"]
    if days == "*" or not of_week:
        return [f"*-{months}-* {time}"]
    return [f"*-{months}-{days} {time}", f"{of_week}*-{months}-* {time}"]


def _numbers(values: Sequence[int], of: int) -> str:
    """A part of a calendar event: * for all of them, a step if they are even up to the last one."""
    if len(values) == of:
        return "*"
    step = values[1] - values[0] if len(values) > 2 else 0
    begin = values[0]
    is_whole = begin + step * len(values) >= of + (1 if of in (12, 31) else 0)
    if step and is_whole and list(values) == list(range(begin, values[-1] + 1, step)):
        return f"{begin:02}/{step}"
    return ",".join(f"{value:02}" for value in values)


def _from_monday(days: Sequence[int]) -> list[str]:
    return [_WEEKDAYS[day] for day in sorted(days, key=lambda day: (day - 1) % 7)]


def calendar_intervals(due: CronExpression) -> list[dict[str, int]]:
    """The StartCalendarInterval of a job of launchd: each time by itself.

    ValueError for what launchd has no words for.
    """
    of_days = {"Day": due.days, "Weekday": due.weekdays}
    named = [key for key, values in of_days.items() if len(values) < _ALL[key]]
    if len(named) == 2 and due.day_and:
        raise ValueError(
            "launchd runs a job on a day that fits the day of the month or that of the week, and "
            "this expression takes both"
        )
    if "Weekday" in named and len(due.months) < _ALL["Month"]:
        raise ValueError("launchd does not heed the month where there is a day of the week")
    if len(named) == 1 and not due.day_and:  # the other one is every day
        named = []
    found = list[dict[str, int]]()
    of_time = {"Minute": due.minutes, "Hour": due.hours, "Month": due.months}
    for of_day in [{key: of_days[key]} for key in named] or [{}]:
        taken = of_time | of_day
        parts = {key: each for key, each in taken.items() if len(each) < _ALL[key]}
        found += [dict(zip(parts, values, strict=True)) for values in product(*parts.values())]
    if len(found) > _MOST:
        raise ValueError(f"launchd takes each time by itself, and these are {len(found):,} a year")
    return found
