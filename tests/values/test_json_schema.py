"""What does not fit a schema, held against the types that schemas are made of."""

from __future__ import annotations

import enum
import json
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from durably_cli.values.json_schema import misfits

Third = Annotated[float, Field(multiple_of=0.1)]
Dozen = Annotated[int, Field(multiple_of=12)]
Size = enum.Enum("Size", {"small": 1, "large": 2.5})

TYPES: list[Any] = [date, datetime, time, timedelta, UUID, set[int], tuple[int, str], Dozen]
TYPES += [tuple[date, ...], dict[str, date], Literal[1, "a"], Literal[True], Size, date | None]
TYPES += [Third, Decimal]


@given(st.data(), st.sampled_from(TYPES))
def test_what_a_type_gives_fits_its_schema(data: st.DataObject, declared: Any) -> None:
    if declared is Third:
        value: Any = data.draw(st.integers(-1000, 1000)) / 10
    else:
        value = data.draw(st.from_type(declared))
    adapter = TypeAdapter[Any](declared)
    try:
        text = adapter.dump_json(adapter.validate_python(value))
    except ValueError:  # a time of day that pydantic has no text for
        return
    assert not misfits(json.loads(text), adapter.json_schema())


@pytest.mark.parametrize(
    ("declared", "value", "why"),
    [
        (date, "2026-99-99", "'2026-99-99' is no date"),
        (datetime, "2026-01-01T25:00:00", "is no date and time"),
        (time, "25:00", "is no time of a day"),
        (timedelta, "soon", "is no duration, such as P3DT12H"),
        (timedelta, "P", "is no duration"),
        (UUID, "0199", "is no UUID"),
        (list[date], ["2026-01-01", "x"], r"\[1\]: 'x' is no date"),
        (tuple[int, str], [1, 2], r"\[1\]: 2 is no string"),
        (tuple[int, str], [1], "should have 2 items at least"),
        (set[int], [1, 2, 1], "an item stands in it twice"),
        (Dozen, 13, "13 is no multiple of 12"),
        (Third, 0.25, "0.25 is no multiple of 0.1"),
        (Literal[1], True, "True is none of 1"),
        (Literal[True], 1, "1 is none of True"),
    ],
)
def test_what_a_type_refuses_is_said(declared: Any, value: object, why: str) -> None:
    adapter = TypeAdapter[Any](declared)
    (said,) = misfits(value, adapter.json_schema())
    assert re.search(why, said), said


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (datetime, "2026-01-01 12:00z"),
        (date, "2026-01-01T00:00:00"),
        (time, "12:00:00.5+02:00"),
        (timedelta, "1 day, 10:00:00"),
        (timedelta, "-PT0.5S"),
        (UUID, "urn:uuid:01990000-0000-7000-8000-000000000000"),
        (Third, 0.3),
        (set[Any], [1, True, 1.0]),
        (tuple[int, ...], [1, 2]),
        (Dozen, 12 * 10**400),
    ],
)
def test_what_a_type_takes_in_other_words_fits(declared: Any, value: object) -> None:
    adapter = TypeAdapter[Any](declared)
    adapter.validate_json(json.dumps(value))
    assert not misfits(value, adapter.json_schema())
