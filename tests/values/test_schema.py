"""The fields of an input as its JSON Schema tells them, and what a flag's text becomes."""

from __future__ import annotations

from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter
from typing_extensions import TypeAliasType

from durably_cli.cli.app import app
from durably_cli.values.schema import TAKEN, Kind, fields_of, type_name


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Size(Enum):
    SMALL = 1


class Inner(BaseModel):
    a: int


class Tree(BaseModel):
    kids: list[Tree] = []


Nested = TypeAliasType("Nested", str | list["Nested"])


def field_of(annotation: Any, **options: Any) -> Any:
    model = type("Model", (BaseModel,), {"__annotations__": {"one": annotation}, **options})
    return fields_of(TypeAdapter(model).json_schema())[0]


@pytest.mark.parametrize(
    ("annotation", "kind", "items", "words"),
    [
        (str, Kind.TEXT, Kind.TEXT, "string"),
        (int, Kind.NUMBER, Kind.TEXT, "integer"),
        (float, Kind.NUMBER, Kind.TEXT, "number"),
        (bool, Kind.SWITCH, Kind.TEXT, "boolean"),
        (date, Kind.TEXT, Kind.TEXT, "date"),
        (int | None, Kind.NUMBER, Kind.TEXT, "integer or null"),
        (int | str, Kind.TEXT, Kind.TEXT, "integer or string"),
        (Literal["a", "b"], Kind.TEXT, Kind.TEXT, "a | b"),
        (Literal["a"], Kind.TEXT, Kind.TEXT, "a"),
        (Colour, Kind.TEXT, Kind.TEXT, "red | green"),
        (list[str], Kind.LIST, Kind.TEXT, "list of string"),
        (list[int], Kind.LIST, Kind.NUMBER, "list of integer"),
        (set[Inner], Kind.LIST, Kind.JSON, "list of Inner"),
        (Inner, Kind.JSON, Kind.TEXT, "Inner"),
        (dict[str, int], Kind.JSON, Kind.TEXT, "object"),
        (Tree, Kind.JSON, Kind.TEXT, "Tree"),
        (Nested, Kind.TEXT, Kind.TEXT, "string or list of any JSON"),
        (Any, Kind.JSON, Kind.TEXT, "any JSON"),
        (Path, Kind.PATH, Kind.TEXT, "path"),
        (str | Path, Kind.PATH, Kind.TEXT, "string or path"),
        (int | Path | None, Kind.PATH, Kind.TEXT, "integer or path or null"),
        (list[Path | int], Kind.LIST, Kind.PATH, "list of path or integer"),
        (str | list[Path], Kind.TEXT, Kind.TEXT, "string or list of path"),
    ],
)
def test_a_field_is_typed_on_the_command_line_as_its_type_asks(
    annotation: Any, kind: Kind, items: Kind, words: str
) -> None:
    field = field_of(annotation)
    assert (field.kind, field.items, field.type) == (kind, items, words)


def test_a_field_tells_what_the_model_tells() -> None:
    field = field_of(str, one=Field("x", description="what\n it is", examples=["y"]))
    assert field[2:7] == ("string", False, '"x"', "what it is", '"y"')
    assert field_of(str).required


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "5", 5),
        (int, "5.5", 5.5),
        (int, "five", "five"),
        (int, "1_000", "1_000"),
        (float, "NaN", "NaN"),
        (str, "5", "5"),
        (bool, "true", True),
        (bool, "maybe", "maybe"),
        (list[int], "5", 5),
        (Inner, '{"a": 1}', {"a": 1}),
        (Inner, "{", "{"),
        (Any, "NaN", "NaN"),
        (Any, "[1]", [1]),
    ],
)
def test_a_text_becomes_what_it_most_likely_means_and_else_stays(
    annotation: Any, text: str, value: object
) -> None:
    found = field_of(annotation).value_of(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Path | int, "5", 5),
        (int | Path, "5", 5),
        (Path | float | None, "1.5", 1.5),
        (Path | bool, "true", True),
        (Path | Inner, '{"a": 1}', {"a": 1}),
        (Path | list[str], '["a"]', ["a"]),
        (Path | Any, "[1]", [1]),
        (list[Path | int], "5", 5),
        (Path | Literal["auto"], "auto", "auto"),
        (Path | Colour, "red", "red"),
        (Path | str, "s3://bucket/data.csv", "s3://bucket/data.csv"),
        (AnyUrl | Path, "https://a.org/b", "https://a.org/b"),
        (list[str | Path], "file:///x", "file:///x"),
    ],
)
def test_what_a_union_with_a_path_may_be_else_is_no_path(
    annotation: Any, text: str, value: object
) -> None:
    field = field_of(annotation)
    assert not field.is_path(text)
    assert (field.value_of(text), type(field.value_of(text))) == (value, type(value))
    assert field.is_path("data.csv")
    assert field.value_of("data.csv") == "data.csv"


@pytest.mark.parametrize("text", ["5", "true", "s3://bucket", "[1]", "null"])
def test_a_path_that_can_be_nothing_else_is_a_path_whatever_its_text(text: str) -> None:
    for annotation in (Path, Path | None):
        assert field_of(annotation).is_path(text)


@pytest.mark.parametrize("schema", [{}, {"type": "integer"}, {"type": "object"}, {"$ref": "#/x"}])
def test_what_is_no_object_of_known_fields_has_none(schema: dict[str, Any]) -> None:
    assert fields_of(schema) == []
    assert type_name(schema)


@pytest.mark.parametrize("name", ["label", "json", "wait", "a b", "ä", "5th", ""])
def test_a_name_that_no_flag_can_have_has_none(name: str) -> None:
    (field,) = fields_of({"properties": {name: {"type": "boolean"}}})
    assert field.flag is None


def test_the_words_of_triggers_own_options_are_known() -> None:
    from typer.main import get_command

    trigger: Any = get_command(app).get_command(None, "trigger")  # type: ignore[attr-defined]
    options = [option for param in trigger.params for option in param.opts + param.secondary_opts]
    assert {option[2:] for option in options if option.startswith("--")} | {"help"} == TAKEN
