"""An input of a model that does not read its own output has the defaults of its first attempt."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)

from durably_cli.engines import payload
from durably_cli.errors import ValueRefused
from durably_cli.values import convert
from durably_cli.values.strict_json import Json


class WithId(BaseModel):
    id: UUID = Field(default_factory=uuid4)


class Alias(WithId):
    client: str = Field("ann", validation_alias="customerName")


class Choices(WithId):
    client: str = Field("ann", validation_alias=AliasChoices("who", AliasPath("people", "first")))
    moment: str = Field(
        default_factory=lambda: str(uuid4()), validation_alias=AliasPath("people", "at")
    )


class Computed(WithId):
    model_config = ConfigDict(extra="forbid")
    count: int = 2

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return self.count * 5


class Nan(WithId):
    rate: float = 0


class Scaled(WithId):
    cents: int = 5

    @field_validator("cents", mode="before")
    @classmethod
    def scale(cls, value: Any) -> int:
        return int(value) * 100


class Excluded(WithId):
    note: str = Field("", exclude=True)


class Serialized(WithId):
    day: int = 3

    @field_serializer("day")
    def look(self, day: int) -> str:
        return f"day {day}"


class Zoned(Nan):
    at: datetime = Field(default_factory=lambda: datetime.now(ZoneInfo("Europe/Berlin")))


class Outer(BaseModel):
    rows: list[Excluded]
    by_name: dict[str, Alias]


class Secretive(Computed):
    token: SecretStr


@dataclass
class Counted:
    rate: float
    number: int = field(default_factory=itertools.count().__next__)


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Alias, {"customerName": "bob"}),
        (Choices, {"people": {"first": "bob"}}),
        (Computed, {}),
        (Nan, {"rate": "nan"}),
        (Scaled, {"cents": 3}),
        (Scaled, {}),
        (Excluded, {"note": "x"}),
        (Serialized, {}),
        (Zoned, {"rate": "nan"}),
        (Outer, {"rows": [{}, {"note": "x"}], "by_name": {"a": {}}}),
        (Secretive, {"token": "env:TOKEN"}),
        (Counted, {"rate": "nan"}),
    ],
)
def test_what_a_factory_made_is_read_by_every_attempt(
    model: Any, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    converter = convert.converter(model)
    text = payload.fill_defaults(converter, Json(json.dumps(given))).input
    assert "hunter2" not in text
    first, second = (payload.load_payload(converter, text).value for _ in range(2))
    assert repr(first) == repr(second)
    if model is Scaled:
        assert first.cents == (300 if given else 5)


@pytest.mark.parametrize(
    "value",
    [
        Alias(customerName="x"),
        Choices(who="x"),
        Computed(count=3),
        Excluded(note="x"),
        Serialized(day=4),
        Outer(rows=[Excluded(note="y")], by_name={"a": Alias(customerName="z")}),
    ],
)
def test_python_gives_the_inputs_that_the_command_line_takes(value: BaseModel) -> None:
    converter = convert.converter(type(value))
    text = payload.dump_payload(converter, value)
    assert payload.load_payload(converter, text).value == value


def test_what_no_json_gives_is_refused_with_its_place() -> None:
    with pytest.raises(ValueRefused, match=r"\$\.cents, 300 would come back as 30000"):
        payload.dump_payload(convert.converter(Scaled), Scaled(cents=3))
