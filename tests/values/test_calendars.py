"""systemd and launchd hear of the very times of the expression."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durably_cli.values.calendars import calendar_intervals, on_calendar
from durably_cli.values.cron_expression import CronExpression

BEGIN = datetime(2026, 11, 29, tzinfo=UTC)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ends = st.tuples(number, number).map(sorted)
    term = number.map(str) | ends.map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.tuples(ends, st.integers(1, 7)).map(
        lambda found: f"{found[0][0]}-{found[0][1]}/{found[1]}"
    )
    terms = st.lists(term | stepped, min_size=1, max_size=3).map(",".join)
    return st.just("*") | st.integers(1, high).map(lambda step: f"*/{step}") | terms


expressions = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(
    " ".join
)


def due_in(expression: CronExpression, days: int) -> list[datetime]:
    found = []
    for each in expression.times(BEGIN - timedelta(seconds=1), UTC):
        if each >= BEGIN + timedelta(days=days):
            break
        found.append(each)
    return found


def minutes(days: int) -> list[datetime]:
    return [BEGIN + timedelta(minutes=n) for n in range(days * 24 * 60)]


def fits(event: str, time: datetime) -> bool:
    """Does systemd's calendar event name this minute?"""
    *of_week, day, clock = event.split(" ")
    year, month, of_month = day.split("-")
    hour, minute, second = clock.split(":")
    assert (year, second) == ("*", "00")
    return (
        (not of_week or WEEKDAYS[time.weekday()] in of_week[0].split(","))
        and has(month, time.month)
        and has(of_month, time.day)
        and has(hour, time.hour)
        and has(minute, time.minute)
    )


def has(part: str, value: int) -> bool:
    if stepped := re.fullmatch(r"(\d+)/(\d+)", part):
        begin, step = map(int, stepped.groups())
        return value >= begin and (value - begin) % step == 0
    return part == "*" or value in map(int, part.split(","))


@settings(max_examples=40)
@given(expressions)
def test_a_timer_elapses_when_cron_would_run_it(text: str) -> None:
    due = CronExpression(text)
    events = on_calendar(due)
    named = [time for time in minutes(4) if any(fits(event, time) for event in events)]
    assert named == due_in(due, 4)


@settings(max_examples=40)
@given(expressions)
def test_an_agent_is_started_when_cron_would_run_it(text: str) -> None:
    due = CronExpression(text)
    try:
        intervals = calendar_intervals(due)
    except ValueError:
        return
    wanted = {tuple(sorted(each.items())) for each in intervals}
    keys = {tuple(sorted(each)) for each in intervals}
    named = [time for time in minutes(2) if any(of(time, each) in wanted for each in keys)]
    assert named == due_in(due, 2)


def of(time: datetime, keys: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """What launchd calls this minute by these keys."""
    values = {
        "Minute": time.minute,
        "Hour": time.hour,
        "Day": time.day,
        "Month": time.month,
        "Weekday": (time.weekday() + 1) % 7,
    }
    return tuple((key, values[key]) for key in keys)


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00"]),
        (
            "*/10 9-12 * * mon-fri",
            ["Mon,Tue,Wed,Thu,Fri *-*-* 09,10,11,12:00/10:00"],
        ),
        ("0 3 1,15 * sun,1", ["*-*-01,15 03:00:00", "Mon,Sun *-*-* 03:00:00"]),
        ("0 3 */2 * 1", ["Mon *-*-01/2 03:00:00"]),
        ("0 3 29 2 *", ["*-02-29 03:00:00"]),
    ],
)
def test_events_that_are_read_by_people(text: str, events: list[str]) -> None:
    assert on_calendar(CronExpression(text)) == events
    if program := which("systemd-analyze"):  # where there is one, it says so too
        for event in events:
            read = subprocess.run((program, "calendar", event), capture_output=True, text=True)
            assert read.returncode == 0, read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 3 */2 * 1", "takes both"),
        ("0 3 * 1 1", "does not heed the month"),
        ("1-59 1-22 1-30 * *", "takes each time by itself"),
    ],
)
def test_what_launchd_cannot_be_told_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        calendar_intervals(CronExpression(text))
