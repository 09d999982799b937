"""What would be lost in JSON is refused; what is of the declared type is taken as it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from durably_cli.errors import ValueRefused
from durably_cli.values import convert
from durably_cli.values.declared import UNDECLARED

BERLIN = ZoneInfo("Europe/Berlin")


class Text(str):
    __slots__ = ()


class Real(float): ...


class Whole(int): ...


SUMMER = datetime(2026, 7, 1, 2, 30, tzinfo=BERLIN)


class Elsewhere(tzinfo):
    """A zone of another library, which has a rule and no name."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (datetime(2026, 7, 1, 2, 30, tzinfo=Elsewhere()), datetime),
        (time(2, 30, tzinfo=Elsewhere()), time),
        ({SUMMER}, set[datetime]),
        ({SUMMER: 1}, dict[datetime, int]),
    ],
)
def test_a_zone_that_would_be_lost_is_refused_at_every_hour(value: Any, declared: Any) -> None:
    with pytest.raises(ValueRefused, match=r"astimezone\(timezone.utc\)"):
        convert.round_trip(convert.converter(declared), value)


@pytest.mark.parametrize(
    "zone", [None, UTC, ZoneInfo("UTC"), timezone(timedelta(hours=5, minutes=30))]
)
def test_a_fixed_offset_comes_back(zone: Any) -> None:
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    assert convert.round_trip(convert.converter(datetime), moment)[1] == moment


@pytest.mark.parametrize(
    ("value", "declared", "kind"),
    [(Real(1.5), float, float), (Text("x"), str, str), (Whole(3), int, int)],
)
def test_a_class_of_its_own_is_taken_as_the_declared_type(
    value: Any, declared: Any, kind: type
) -> None:
    back = convert.round_trip(convert.converter(declared), value)[1]
    assert (back, type(back)) == (value, kind)
    inside = convert.round_trip(convert.converter(list[declared]), [value])[1]
    assert type(inside[0]) is kind
    with pytest.raises(ValueRefused):
        convert.round_trip(convert.converter(UNDECLARED), value)
