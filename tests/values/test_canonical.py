"""Inputs that a model reads as equal ones have one canonical form, and others have not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator

from durably_cli.engines import payload
from durably_cli.values import convert
from durably_cli.values.strict_json import Json


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Pair(BaseModel):
    model_config = ConfigDict(frozen=True)
    left: int
    right: int = 0


class Options(BaseModel):
    verbose: bool = False
    seed: int = Field(default_factory=itertools.count().__next__)


@dataclass
class Counted:
    names: set[str] = field(default_factory=set)


class Input(BaseModel):
    tags: set[str] = set()
    nested: dict[str, list[set[int]]] = {}
    inner: set[frozenset[str]] = set()
    pairs: set[Pair] = set()
    either: set[int] | str = ""
    sizes: frozenset[Size] = frozenset()
    rate: float = 0
    at: datetime | None = None
    amount: Decimal = Decimal(0)
    span: timedelta = timedelta()
    rows: list[int] = []
    file: Path = Path()
    counted: Counted = Counted()
    number: int | float = 0
    id: UUID = Field(default_factory=uuid4)
    options: Options = Field(default_factory=Options)
    names: list[str] = Field(default_factory=list)
    scaled: int = Field(0, alias="cents", exclude=True)
    token: SecretStr | None = None

    @field_validator("scaled", mode="before")
    @classmethod
    def scale(cls, value: Any) -> int:
        return int(value) * 100

    @field_serializer("file")
    def hide(self, file: Path) -> str:
        return "-"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


class Left(BaseModel):
    here: int = 0
    left: int = 0


class Right(BaseModel):
    here: int = 0
    right: int = 0


@dataclass
class Uncompared:
    id: int = field(default=1, compare=False)


class Either(BaseModel):
    pet: Cat | Dog = Field(Cat(), discriminator="kind")
    pets: list[Cat | Dog] = []
    side: Left | Right = Left()
    size: int | bool = 1
    sizes: list[int | bool] = [1]
    any: Any = 0
    number: int | float = 0
    span: timedelta | datetime | None = None
    uncompared: Uncompared = Uncompared()
    token: SecretStr = SecretStr("")
    other: SecretStr = SecretStr("")

    @field_validator("token")
    @classmethod
    def lower(cls, value: SecretStr) -> SecretStr:
        return SecretStr(value.get_secret_value().lower())


def form_of(given: Mapping[str, Any], model: Any = Input) -> Json:
    text = Json(json.dumps(given))
    return payload.fill_defaults(convert.converter(model), text, is_compared=True).canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": ["a", "b"]}, {"tags": ["b", "a", "b"]}),
        ({"nested": {"x": [[1, 2]], "y": []}}, {"nested": {"y": [], "x": [[2, 1]]}}),
        ({"inner": [["a", "b"], ["c"]]}, {"inner": [["c"], ["b", "a"]]}),
        ({"pairs": [{"left": 1}, {"left": 2}]}, {"pairs": [{"right": 0, "left": 2}, {"left": 1}]}),
        ({"either": [1, 2]}, {"either": [2, 1]}),
        ({"sizes": ["s", "l"]}, {"sizes": ["l", "s"]}),
        ({"counted": {"names": ["a", "b"]}}, {"counted": {"names": ["b", "a"]}}),
        ({"rate": 1}, {"rate": 1.0}),
        ({"rate": "1"}, {"rate": 1}),
        ({"at": "2026-01-01"}, {"at": "2026-01-01T00:00:00"}),
        ({"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-01T01:00:00+01:00"}),
        ({"amount": "12.30"}, {"amount": 12.3}),
        ({"amount": "1E+400"}, {"amount": "1" + "0" * 400}),
        ({"span": "PT1H"}, {"span": 3600}),
        ({}, {"tags": [], "rate": 0, "options": {}, "names": [], "cents": 0}),
        ({"options": {"verbose": False}}, {}),
    ],
)
def test_equal_inputs_have_one_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert form_of(one) == form_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": ["a"]}, {"tags": ["b"]}),
        ({"rows": [1, 2]}, {"rows": [2, 1]}),
        ({"inner": [["a", "b"]]}, {"inner": [["a"], ["b"]]}),
        ({"number": 1}, {"number": 1.0}),
        ({"at": "2026-01-01T00:00:00"}, {"at": "2026-01-01T00:00:00Z"}),
        ({"amount": "1." + "0" * 40 + "1"}, {"amount": "1"}),
        ({"id": "0" * 32}, {}),
        ({"options": {"seed": 1}}, {}),
        ({"cents": 1}, {"cents": 2}),
        ({"file": "a"}, {"file": "b"}),
    ],
)
def test_others_have_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert form_of(one) != form_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"pet": {"kind": "cat"}}, {"pet": {"kind": "dog"}}),
        ({"pets": [{"kind": "cat"}]}, {"pets": [{"kind": "dog"}]}),
        ({"side": {"here": 1, "left": 0}}, {"side": {"here": 1, "right": 0}}),
        ({"size": True}, {"size": 1}),
        ({"sizes": [True]}, {"sizes": [1]}),
        ({"any": False}, {}),
        ({"number": 0.0}, {"number": 0}),
        ({"span": "P20000D"}, {"span": "2024-10-04T00:00:00Z"}),
        ({"uncompared": {"id": 2}}, {}),
        ({"token": "env:ONE"}, {"token": "env:TWO"}),
        ({"token": "env:ONE"}, {}),
        ({"token": "env:TWO", "other": "env:SAME"}, {"token": "env:SAME", "other": "env:TWO"}),
    ],
)
def test_members_of_unions_and_what_equals_a_default_are_told_apart(
    one: dict[str, Any], other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in (("ONE", "Hunter2-Hunter2"), ("TWO", "hunter3"), ("SAME", "hunter3")):
        monkeypatch.setenv(name, secret)
    assert form_of(one, Either) != form_of(other, Either)


def test_a_claim_of_an_earlier_default_is_of_another_input() -> None:
    class Limited(BaseModel):
        limit: int = 10

    before = form_of({}, Limited)
    assert form_of({"limit": 10}, Limited) == before

    class Limited(BaseModel):  # type: ignore[no-redef]
        limit: int = 20

    assert form_of({"limit": 20}, Limited) != before


def test_a_secret_is_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("OTHER", "hunter3-hunter3")
    form = form_of({"token": "env:TOKEN"})
    assert "env:TOKEN" in form and "hunter2" not in form
    assert form_of({"token": "env:OTHER"}) != form
    assert (
        payload.canonical_of(convert.converter(Input), Input(token=SecretStr("env:TOKEN"))) == form
    )


def test_python_gives_the_form_that_its_json_gives() -> None:
    given = Input(tags={"b", "a"}, at=datetime(2026, 1, 1, tzinfo=UTC), sizes=frozenset(Size))
    said = {"tags": ["a", "b"], "at": "2026-01-01T00:00:00Z", "sizes": ["l", "s"]}
    assert payload.canonical_of(convert.converter(Input), given) == form_of(said)


def test_what_has_no_form_is_its_text() -> None:
    class Odd:
        def __init__(self, text: str) -> None:
            self.text = text

    class WithOdd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        odd: Any = None

        @field_validator("odd")
        @classmethod
        def make(cls, value: str) -> Odd:
            return Odd(value)

    assert form_of({"odd": "x"}, WithOdd) == '{"odd": "x"}'
