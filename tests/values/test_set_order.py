"""Equal sets have equal texts, in whatever process and wherever a type has them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_serializer

from durably_cli.values import convert


class Tags(BaseModel):
    model_config = ConfigDict(frozen=True)
    tags: frozenset[str] = Field(alias="theTags")


class Root(RootModel[list[set[str]]]):
    pass


@dataclass
class Plain:
    tags: set[str]


class Everything(BaseModel):
    tags: set[str]
    by_name: dict[str, set[Tags]]
    pair: tuple[Tags, set[bytes]]
    root: Root
    plain: Plain
    mixed: set[int | str]
    inner: Everything | None = None


class AsText(BaseModel):
    tags: set[str]

    @field_serializer("tags")
    def _text(self, tags: set[str]) -> str:
        return ",".join(sorted(tags))


def everything() -> Everything:
    tags = {"b", "a", "c", "dd", "e"}
    both = [Tags(theTags=frozenset(tags)), Tags(theTags=frozenset("xyz"))]
    one = Everything(
        tags=tags,
        by_name={"both": set(both)},
        pair=(both[0], {b"\xff", b"b", b"c", b"a"}),
        root=Root([tags]),
        plain=Plain(tags),
        mixed={1, 10, 2, "a", "b"},
    )
    return one.model_copy(update={"inner": one})


def test_the_text_is_the_same_in_every_process() -> None:
    program = (
        "from tests.values.test_set_order import Everything, everything\n"
        "from durably_cli.values import convert\n"
        "value = everything()\n"
        "as_marked = convert.round_trip(convert.converter(Everything), value)[0]\n"
        "for each in (value, value.inner): each.pair = (each.pair[0], {b'a', b'b', b'c'})\n"
        "print(as_marked, convert.round_trip(convert.converter(Everything), value)[0])\n"
    )
    texts = {
        subprocess.run(
            (sys.executable, "-c", program),
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "1234"
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("value", "declared", "items"),
    [
        ({10, 9, 1}, set[int], [1, 9, 10]),
        (frozenset("cab"), frozenset[str], ["a", "b", "c"]),
        ({2, "b", 1}, set[int | str], ["b", 1, 2]),
        ({(2, "b"), (1, "c")}, set[tuple[int, str]], [[1, "c"], [2, "b"]]),
        ([["b", "a"]], list[list[str]], [["b", "a"]]),
        (({"b", "a"}, ["b", "a"]), tuple[set[str], list[str]], [["a", "b"], ["b", "a"]]),
        ({"b": 1, "a": {1}}, dict[str, int | set[int]], {"b": 1, "a": [1]}),
        (AsText.model_construct(tags={"b", "a"}), AsText, None),
    ],
)
def test_items_are_sorted_and_nothing_else_is(value: Any, declared: Any, items: Any) -> None:
    if items is None:  # what it writes is its own matter
        assert convert.converter(declared).dump(value) == '{"tags":"a,b"}'
        return
    text, back = convert.round_trip(convert.converter(declared), value)
    assert back == value
    assert json.loads(text) == items
    assert text == json.dumps(items, separators=(",", ":"))


def test_what_a_model_says_of_itself_may_hold_itself() -> None:
    endless: dict[str, Any] = {}
    endless["endless"] = endless

    class Odd(BaseModel):
        model_config = ConfigDict(json_schema_extra=endless)
        tags: list[str] = Field(default=["a"], json_schema_extra=endless)
        any: Any = endless

    assert convert.round_trip(convert.converter(Odd), Odd(any=1))[0] == '{"tags":["a"],"any":1}'
