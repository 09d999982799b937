"""When a crontab's five fields are due, and what is no such thing."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from durably_cli.values.cron_expression import CronExpression

BERLIN = ZoneInfo("Europe/Berlin")


def times(text: str, after: str, number: int = 3) -> list[str]:
    due = CronExpression(text)
    begin = datetime.fromisoformat(after).replace(tzinfo=BERLIN)
    return [each.isoformat(" ", "minutes") for each in islice(due.times(begin, BERLIN), number)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 3 31 2 *", "is never due: no such month has such a day"),
        ("0 3 30 feb */2", "is never due"),
        ("0 3 29 2 31", "'31' is no day of the week; it takes *, 0 to 7, or sun to sat"),
        ("0 0 3 * * *", "has six fields"),
        ("0 3", "is no five fields: minute, hour"),
        ("", "is no five fields"),
        ("60 3 * * *", "'60' is no minute; it takes *, 0 to 59"),
        ("5/10 * * * *", "'5/10' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("0 3 L * *", "'L' is no day of the month"),
        ("0 3 LW * *", "'LW' is no day of the month"),
        ("0 3 * * 1#2", "'1#2' is no day of the week"),
        ("0 3 * * fri-mon", "'fri-mon' is no day of the week"),
        ("0 3 * * monday", "'monday' is no day of the week"),
        ("0 mon * * *", "'mon' is no hour"),
        ("0 3 \u0663 * *", "is no day of the month"),
        ("1,,2 * * * *", "'1,,2' is no minute"),
        ("@reboot", "@reboot is no time"),
        ("@dayly", "is none of @yearly"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("*", r"\*")):
        CronExpression(text)


@pytest.mark.parametrize(
    ("text", "as_fields"),
    [
        ("@daily", "0 0 * * *"),
        ("@HOURLY", "0 * * * *"),
        (" 0  3 * JAN,mar mon-FRI ", "0 3 * 1,3 1-5"),
        ("0 3 * * 7", "0 3 * * 0"),
    ],
)
def test_words_and_names_are_what_the_fields_say(text: str, as_fields: str) -> None:
    assert times(text, "2026-12-24") == times(as_fields, "2026-12-24")


def test_two_kinds_of_days_are_either_unless_one_begins_with_a_star() -> None:
    assert times("0 3 1,15 * mon", "2026-11-29", 4) == [
        *("2026-11-30 03:00+01:00", "2026-12-01 03:00+01:00"),
        *("2026-12-07 03:00+01:00", "2026-12-14 03:00+01:00"),
    ]
    assert times("0 3 */2 * mon", "2026-11-29", 2) == [
        *("2026-12-07 03:00+01:00", "2026-12-21 03:00+01:00"),
    ]


def test_a_time_that_the_clock_leaves_out_is_due_right_after() -> None:
    assert times("30 2 * * *", "2027-03-27 12:00", 2) == [
        *("2027-03-28 03:00+02:00", "2027-03-29 02:30+02:00"),
    ]
    due = CronExpression("30 2 * * *")
    (moved,) = due.changed_by_the_clock(datetime(2026, 11, 29, tzinfo=UTC), BERLIN)
    assert moved.isoformat() == "2027-03-28T03:00:00+02:00"
    assert not due.is_as_written(moved)


def test_an_hour_that_comes_twice_is_due_twice_where_every_hour_is() -> None:
    assert times("0 * * * *", "2027-10-31 01:30", 3) == [
        *("2027-10-31 02:00+02:00", "2027-10-31 02:00+01:00", "2027-10-31 03:00+01:00"),
    ]
    assert times("0 2 * * *", "2027-10-31 01:30", 2) == [
        *("2027-10-31 02:00+02:00", "2027-11-01 02:00+01:00"),
    ]
    (again,) = CronExpression("0 * * * *").changed_by_the_clock(
        datetime(2027, 6, 1, tzinfo=UTC), BERLIN
    )[:1]
    assert (again.isoformat(), again.fold) == ("2027-10-31T02:00:00+01:00", 1)


def test_a_zone_without_a_change_of_clock_changes_nothing() -> None:
    assert CronExpression("30 2 * * *").changed_by_the_clock(datetime.now(UTC), UTC) == []
