"""What would be lost in JSON is refused; what is of the declared type is taken as it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from durably_cli.errors import ValueRefused
from durably_cli.values import convert
from durably_cli.values.declared import UNDECLARED

BERLIN = ZoneInfo("Europe/Berlin")


class Event(BaseModel):
    at: datetime


class Text(str):
    __slots__ = ()


class Real(float): ...


class Whole(int): ...


SUMMER = datetime(2026, 7, 1, 2, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (SUMMER, datetime),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), datetime),
        (datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), datetime),
        (datetime(2026, 10, 25, 2, 30, fold=1), datetime),
        (time(2, 30, fold=1), time),
        (time(2, 30, fold=1, tzinfo=UTC), time),
        (Event(at=SUMMER), Event),
        ([{"a": (SUMMER,)}], list[dict[str, tuple[datetime]]]),
        ({SUMMER}, set[datetime]),
        (deque([SUMMER]), deque[datetime]),
        ({SUMMER: 1}, dict[datetime, int]),
    ],
)
def test_a_zone_and_a_fold_are_refused_at_every_hour(value: Any, declared: Any) -> None:
    with pytest.raises(ValueRefused, match=r"fixed offset|UTC|keys"):
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
