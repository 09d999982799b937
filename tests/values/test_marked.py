"""Bytes that are no UTF-8, zones and folds come back from JSON; what JSON has a text for has it."""

from __future__ import annotations

import dataclasses
from collections import deque
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from durably_cli.errors import ValueRefused
from durably_cli.values import convert
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.strict_json import Json, to_json

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER = datetime(2026, 7, 1, 2, 30, tzinfo=BERLIN)
REPEATED = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
SKIPPED = datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN)


class Photo(BaseModel):
    data: bytes
    at: datetime | None = None
    others: tuple[bytes, ...] = ()


@dataclasses.dataclass
class Point:
    data: bytes


class Pair(NamedTuple):
    data: bytes
    at: time


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (b"\xff\x00", bytes),
        ([b"\xff", b"text"], list[bytes]),
        ({"a": (b"\xff", 1)}, dict[str, tuple[bytes, int]]),
        ({b"\xff"}, set[bytes]),
        (b"\xff", bytes | None),
        (Photo(data=b"\xff", at=SUMMER, others=(b"\xfe", b"x")), Photo),
        ([Photo(data=b"\xff")], list[Photo]),
        (Point(b"\xff"), Point),
        (Pair(b"\xff", time(2, 30, tzinfo=BERLIN, fold=1)), Pair),
        (deque([SUMMER]), deque[datetime]),
        (SUMMER, datetime),
        (SUMMER.replace(fold=1), datetime),
        (REPEATED, datetime),
        (REPEATED.replace(fold=1), datetime),
        (SKIPPED, datetime),
        (SKIPPED.replace(fold=1), datetime),
        (datetime(1880, 1, 1, tzinfo=BERLIN), datetime),
        (datetime(2026, 10, 25, 2, 30, fold=1), datetime),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=UTC), datetime),
        (time(2, 30, fold=1), time),
        (time(2, 30, fold=1, tzinfo=UTC), time),
    ],
)
def test_what_json_has_no_text_for_comes_back(value: Any, declared: Any) -> None:
    converter = convert.converter(declared)
    text, back = convert.round_trip(converter, value)
    assert '{"$' in text
    assert repr(back) == repr(value)
    assert repr(converter.load(text)) == repr(value)
    assert convert.settled(converter, text) == text
    if isinstance(value, datetime):
        assert back.utcoffset() == value.utcoffset()
        later = timedelta(days=1)
        assert (back + later).utcoffset() == (value + later).utcoffset()


def test_a_value_that_json_has_a_text_for_has_it_and_is_read_as_before() -> None:
    for value, declared, text in (
        (b'{"$base64":"/w=="}', bytes, r'"{\"$base64\":\"/w==\"}"'),
        ({"$base64": "/w=="}, dict[str, Any], '{"$base64":"/w=="}'),
        ({"$base64": b"/w=="}, dict[str, bytes], '{"$base64":"/w=="}'),
        (datetime(2026, 7, 1, tzinfo=UTC), datetime, '"2026-07-01T00:00:00Z"'),
    ):
        assert convert.round_trip(convert.converter(declared), value) == (text, value)


def test_a_value_that_two_types_would_read_is_refused() -> None:
    with pytest.raises(ValueRefused):
        convert.round_trip(convert.converter(dict[str, str] | bytes), b"\xff")


def test_bytes_as_a_key_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueRefused, match="UTF-8"):
        convert.round_trip(convert.converter(dict[bytes, int]), {b"\xff": 1})


def test_a_zone_whose_rules_have_changed_since_has_the_moment_that_was() -> None:
    text = Json('{"$datetime":"2026-07-01T02:30:00+01:00[Europe/Berlin]"}')
    back = convert.converter(datetime).load(text)
    assert back == datetime(2026, 7, 1, 1, 30, tzinfo=UTC)
    assert back.tzinfo is BERLIN


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T02:30:00+02:00[Nowhere/At_All]",
        "0001-01-01T00:00:00+00:00[America/New_York]",
        "[Europe/Berlin]",
        "2026[",
        "x[../../etc]",
    ],
)
def test_what_stands_for_no_moment_does_not_fit(text: str) -> None:
    with pytest.raises(DoesNotFit):
        convert.converter(datetime).load(Json(to_json({"$datetime": text})))


def test_a_dict_that_is_no_mark_does_not_hide_what_does_not_fit() -> None:
    class Order(BaseModel):
        count: int
        notes: dict[str, str]

    with pytest.raises(DoesNotFit) as caught:
        convert.converter(Order).load(Json('{"count":"x","notes":{"$base64":"no base64"}}'))
    assert [path for path, _ in caught.value.problems] == ["count", "$"]
