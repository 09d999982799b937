"""Values to JSON and back: equal and of the same type, or refused with the place and the fix."""

from __future__ import annotations

import dataclasses
import math
import os
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from pydantic import BaseModel, Field, RootModel, computed_field
from typing_extensions import TypedDict

from durably_cli.errors import ValueRefused
from durably_cli.values import convert, plain
from durably_cli.values.declared import UNDECLARED
from durably_cli.values.strict_json import Json
from tests.harness import strategies

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Base(BaseModel):
    x: int = 1


class Derived(Base):
    y: int = 2


class Aliased(BaseModel):
    org_id: str = Field(alias="orgId")


class OneWay(BaseModel):
    org_id: str = Field(serialization_alias="organisation")


class Hidden(BaseModel):
    shown: int
    hidden: int = Field(0, exclude=True)


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]


class Pair(NamedTuple):
    a: int
    b: str


class Movie(TypedDict):
    title: str


class Plain:
    pass


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


class Box(BaseModel, Generic[T]):
    content: T


class Names(RootModel[list[str]]):
    pass


class Computed(BaseModel):
    side: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.side**2


def round_trip(value: Any, declared: Any = UNDECLARED) -> Any:
    return convert.round_trip(convert.converter(declared), value)[1]


EQUAL: list[tuple[Any, Any]] = [
    (None, None),
    (True, bool),
    (3, int),
    (3, float),
    (2**63, int),
    (-(10**400), int),
    (-0.0, float),
    (5e-324, float),
    ("snow\N{SNOWMAN}\x00\u2028\U0001f600", str),
    (b"bytes", bytes),
    (Decimal("1.10"), Decimal),
    (date(2026, 11, 24), date),
    (datetime(2026, 11, 24, 3, 0, 0, 123, tzinfo=UTC), datetime),
    (timedelta(seconds=1.5), timedelta),
    (UUID(int=7), UUID),
    (Path("/tmp/x"), Path),
    (Colour.RED, Colour),
    (Number.ONE, Number),
    (Base(x=3), Base),
    ([Base(x=3), Base(x=4)], list[Base]),
    (Derived(), Derived),
    (Derived(), Base | Derived),
    (Aliased(orgId="o"), Aliased),
    (Point(1, ["a"]), Point),
    (Pair(1, "b"), Pair),
    ({"title": "Dune"}, Movie),
    ((1, "a"), tuple[int, str]),
    ([(1, 2)], list[tuple[int, int]]),
    ({1: "a", 2: "b"}, dict[int, str]),
    ({1, 2}, set[int]),
    (frozenset({"a"}), frozenset[str]),
    (deque([1, 2]), deque[int]),
    ({"a": [1, {"b": None}]}, dict[str, Any]),
    ("left", Literal["left", "right"]),
    (5, Annotated[int, Field(gt=1)]),
    (None, str | None),
    (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("UTC")), datetime),
    (Decimal("1E+999"), Decimal),
    (Computed(side=3), Computed),
    (Box[list[int]](content=[1]), Box[list[int]]),
    (Names(["a"]), Names),
    ([Cat(), Dog()], list[Annotated[Cat | Dog, Field(discriminator="kind")]]),
]
"""Values and their declared types."""


@pytest.mark.parametrize(("value", "declared"), EQUAL)
def test_a_value_of_a_declared_type_comes_back_equal(value: Any, declared: Any) -> None:
    back = round_trip(value, declared)
    assert back == value
    assert type(back) is type(value) or declared is float


@given(strategies.values)
def test_plain_json_comes_back_equal_without_a_declaration(value: Any) -> None:
    back = round_trip(value)
    assert repr(back) == repr(value)


def looped() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


REFUSED: list[tuple[Any, Any, str, str]] = [
    (math.nan, UNDECLARED, "$", "nan is not JSON"),
    ([1, {"k": math.inf}], UNDECLARED, "$[1]['k']", "inf is not JSON"),
    (math.nan, float, "$", "nan is not JSON"),
    ("a\ud800", UNDECLARED, "$", "lone surrogate"),
    ({"k": ["\udfff"]}, UNDECLARED, "$['k'][0]", "lone surrogate"),
    ("\ud83d\ude00", UNDECLARED, "$", "would come back as"),
    (os.fsdecode(b"a\xff"), str, "$", "return os.fsencode(name), declared as bytes"),
    ([Path("a"), Path(os.fsdecode(b"a\xff"))], list[Path], "$[1]", "a file that is not UTF-8"),
    ({1: 1, "1": 2}, UNDECLARED, "$", "the key 1 would come back as '1'"),
    ({1: 1}, UNDECLARED, "$", "the key 1 would come back as '1'"),
    ({True: 1}, UNDECLARED, "$", "would come back"),
    ({None: 1}, UNDECLARED, "$", "would come back"),
    ((1, 2), UNDECLARED, "$", "a tuple would come back as a list"),
    ({"a": [1, (2,)]}, UNDECLARED, "$['a'][1]", "a tuple would come back as a list"),
    ((1, 2), list[int], "$", "declared type"),
    (OrderedDict(a=1), UNDECLARED, "$", "OrderedDict would come back as a dict"),
    (Number.ONE, UNDECLARED, "$", "Number would come back as an int"),
    (Number.ONE, int, "$", "would come back as an int"),
    (True, int, "$", "a bool would come back as an int"),
    ("5", int, "$", "declared type"),
    (Pair(1, "b"), UNDECLARED, "$", "Pair would come back as a list"),
    ({1, 2}, UNDECLARED, "$", "a set is not plain JSON"),
    (b"x", UNDECLARED, "$", "a bytes is not plain JSON"),
    (object(), UNDECLARED, "$", "an object is not plain JSON"),
    (Plain(), UNDECLARED, "$", "returns="),
    (Base(), UNDECLARED, "$", "a Base is not plain JSON"),
    (Derived(), Base, "$", "what only Derived has would be lost"),
    ([Base(), Derived()], list[Base], "$[1]", "what only Derived has would be lost"),
    (OneWay(org_id="o"), OneWay, "$.org_id", "Field required"),
    (Hidden(shown=1, hidden=2), Hidden, "$.hidden", "2 would come back as 0"),
    (None, int, "$", "its declared type is int; is a `return` missing?"),
    (None, Base, "$", "its declared type is Base; is a `return` missing?"),
    ([10**5000], UNDECLARED, "$[0]", "4,300 digits"),
    (looped(), UNDECLARED, "$", "contains itself"),
    (deep(), UNDECLARED, "$", "nested too deeply"),
]
"""Values, their declared types, where they are refused, and why."""


@pytest.mark.parametrize(("value", "declared", "path", "reason"), REFUSED)
def test_a_value_that_would_come_back_different_is_refused_with_its_place(
    value: Any, declared: Any, path: str, reason: str
) -> None:
    with pytest.raises(ValueRefused) as caught:
        round_trip(value, declared)
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_an_input_that_does_not_fit_names_every_field() -> None:
    class Input(BaseModel):
        a: int
        b: list[float]
        c: Base

    with pytest.raises(plain.DoesNotFit) as caught:
        convert.converter(Input).load(Json('{"a":"x","b":[1,"y"],"c":{"x":[]}}'))
    assert [path for path, _ in caught.value.problems] == ["a", "b[1]", "c.x"]


def test_a_default_of_this_moment_is_settled_when_the_run_is_made() -> None:
    class Input(BaseModel):
        day: datetime = Field(default_factory=lambda: datetime.now(UTC))

    converter = convert.converter(Input)
    settled = convert.settled(converter, Json("{}"))
    assert converter.load(settled) == converter.load(settled)


def test_an_input_whose_model_cannot_read_its_own_output_stays_as_given() -> None:
    assert convert.settled(convert.converter(OneWay), Json('{"org_id":"o"}')) == '{"org_id":"o"}'


def test_a_union_in_another_order_is_another_type() -> None:
    for declared, expected in ((Same | Alike, Same), (Alike | Same, Alike)):
        converter = convert.converter(declared)
        assert type(converter.load(Json('{"id":1}'))) is expected
        assert convert.converter(declared) is converter


class Same(BaseModel):
    id: int


class Alike(BaseModel):
    id: int


def test_a_type_that_json_cannot_give_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match="Plain cannot be made from JSON"):
        convert.converter(Plain)
