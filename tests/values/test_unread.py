"""Fields of an input that its type passes over, with the names they come near; and no others."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    RootModel,
    Tag,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from durably_cli.errors import ValueRefused
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json, to_json


class Item(BaseModel):
    name: str = ""
    unit_price: int = 0


class Order(BaseModel):
    org_id: str = ""
    item: Item = Item()
    items: list[Item] = []
    by_name: dict[str, Item] = {}
    either: Item | int | None = None
    anything: Any = None


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    org_id: str = ""


class CamelOrNot(Camel):
    model_config = ConfigDict(populate_by_name=True)


class Choices(BaseModel):
    at: str = Field("", validation_alias=AliasChoices("when", AliasPath("time", "start", 0)))


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    item: Item = Item()


class OldNames(BaseModel):
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def rename(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"name": given.get("nom", "")} | given


class Checked(BaseModel):
    name: str = ""

    @model_validator(mode="after")
    def check(self) -> Checked:
        return self


class Initialised(BaseModel):
    name: str = ""

    def __init__(self, *, nom: str = "", **fields: Any) -> None:
        super().__init__(name=nom, **fields)


class Renaming(BaseModel):
    item: Annotated[Item, BeforeValidator(lambda given: {"name": given["nom"]})]
    other: Item = Item()

    @field_validator("other", mode="before")
    @classmethod
    def rename(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"name": given["nom"]}


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Pets(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    by_code: Annotated[
        Annotated[Cat, Tag("c")] | Annotated[Dog, Tag("d")], Discriminator(lambda v: v["sort"])
    ] = Cat()


class Orders(RootModel[list[Item]]):
    pass


class Node(BaseModel):
    name: str = ""
    inner: Node | None = None


class Computed(BaseModel):
    name: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def loud(self) -> str:
        return self.name.upper()


@dataclasses.dataclass
class Point:
    x: int = 0
    item: Item | None = None


@dataclass
class PointOfPydantic:
    x: int = 0
    init_only: dataclasses.InitVar[int] = 0


class Movie(TypedDict, total=False):
    title: str
    item: Item


class Shelf(BaseModel):
    movies: list[Movie] = []


class Sorted(BaseModel):
    pets: list[Cat | Dog]

    @model_validator(mode="after")
    def sort(self) -> Sorted:
        self.pets.sort(key=lambda pet: pet.kind)
        return self


class SortedLater(BaseModel):
    pets: list[Cat | Dog]

    def model_post_init(self, context: Any) -> None:
        self.pets.sort(key=lambda pet: pet.kind)


@dataclasses.dataclass
class SortedDataclass:
    pets: list[Cat | Dog]

    def __post_init__(self) -> None:
        self.pets.sort(key=lambda pet: pet.kind)


class WithPrivate(BaseModel):
    item: Item
    _count: int = PrivateAttr(0)


class Around(BaseModel):
    model_config = ConfigDict(alias_generator=str.upper)
    point: Point


class AroundOpen(BaseModel):
    model_config = ConfigDict(extra="allow")
    point: Point


SORTED = {"pets": [{"kind": "dog", "tricks": []}, {"kind": "cat", "lives": 1}], "pet": 1}


def unread(declared: Any, given: Any) -> dict[str, str | None]:
    converter = convert.converter(declared)
    text = Json(to_json(given))
    return {each.path: each.nearest for each in converter.unread(text, converter.load(text))}


@pytest.mark.parametrize(
    ("declared", "given", "found"),
    [
        (Order, {"orgid": "1", "zzz": 1}, {"orgid": "org_id", "zzz": None}),
        (Order, {"org-id": "1"}, {"org-id": "org_id"}),
        (Order, {"item": {"unitPrice": 1}}, {"item.unitPrice": "unit_price"}),
        (Order, {"items": [{}, {"nmae": "x"}]}, {"items[1].nmae": "name"}),
        (Order, {"by_name": {"a": {"nmae": "x"}}}, {"by_name.a.nmae": "name"}),
        (Order, {"either": {"nmae": "x"}, "anything": {"x": 1}}, {"either.nmae": "name"}),
        (Order | Camel, {"org_id": "1", "itme": {}}, {"itme": "item"}),
        (Camel, {"org_id": "1"}, {"org_id": "orgId"}),
        (Camel, {"orgId": "1"}, {}),
        (CamelOrNot, {"org_id": "1"}, {}),
        (Choices, {"when": "1"}, {}),
        (Choices, {"time": {"start": ["1"], "end": 2}}, {}),
        (Choices, {"at": "1"}, {"at": None}),
        (Open, {"more": 1, "item": {"more": 1}}, {"item.more": None}),
        (OldNames, {"nom": "x"}, {}),
        (Checked, {"nom": "x"}, {"nom": None}),
        (Initialised, {"nom": "x"}, {}),
        (Renaming, {"item": {"nom": "x"}, "other": {"nom": "x"}}, {}),
        (Pets, {"pets": [{"kind": "dog", "lives": 1}]}, {"pets[0].lives": None}),
        (Pets, {"by_code": {"sort": "c"}}, {}),
        (Orders, [{"nmae": 1}], {"[0].nmae": "name"}),
        (Node, {"inner": {"inner": {"nmae": "x"}}}, {"inner.inner.nmae": "name"}),
        (Computed, {"name": "x", "loud": "X"}, {}),
        (Point, {"y": 1, "item": {"nmae": 1}}, {"y": None, "item.nmae": "name"}),
        (PointOfPydantic, {"x": 1, "init_only": 2, "y": 1}, {"y": None}),
        (Movie, {"tilte": "Dune"}, {"tilte": "title"}),
        (Shelf, {"movies": [{"title": "x", "item": {"q": 1}}]}, {"movies[0].item.q": None}),
        (Sorted, SORTED, {"pet": "pets"}),
        (SortedLater, SORTED, {"pet": "pets"}),
        (SortedDataclass, SORTED, {"pet": "pets"}),
        (WithPrivate, {"item": {"nmae": 1}}, {"item.nmae": "name"}),
        (Around, {"POINT": {"X": 1}}, {}),
        (AroundOpen, {"point": {"more": 1}}, {}),
        (dict[str, Any], {"x": {"y": 1}}, {}),
        (dict[int, Item], {"1": {"nmae": 1}}, {}),
    ],
)
def test_what_no_field_reads_is_found_and_nothing_else(
    declared: Any, given: Any, found: dict[str, str | None]
) -> None:
    assert unread(declared, given) == found


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    org_id: str


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"orgid": "1"}, "org_id: Field required: it has 'orgid', which is no field"),
        ({"org_id": "1", "orgid": "1"}, "orgid: Extra inputs are not permitted: did you mean"),
    ],
)
def test_an_input_that_does_not_fit_says_which_name_was_typed_wrong(given: Any, said: str) -> None:
    with pytest.raises(plain.DoesNotFit, match=said):
        unread(Strict, given)


def test_a_key_that_a_typed_dict_has_not_is_refused_of_python_by_its_name() -> None:
    with pytest.raises(ValueRefused, match="no key 'tilte'"):
        convert.as_given(convert.converter(Movie), {"tilte": "Dune"})
