"""Names of steps in scopes and maps: equal to their text, and made again from their lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.journal.step_names import (
    ItemName,
    NameInScope,
    in_scope,
    item_of,
    line_of_name,
    map_of,
    name_in_line,
    scope_of,
    scopes_of,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@st.composite
def names(draw: st.DrawFn) -> str:
    name: str = draw(TEXTS)
    for kind in draw(st.lists(st.sampled_from([in_scope, item_of]), max_size=4)):
        name = kind(name, draw(TEXTS))
    return name


def shape(name: str) -> object:
    return type(name), shape(name.scope) if isinstance(name, NameInScope) else None, str(name)


@given(names())
def test_a_line_gives_the_name_back_with_all_that_it_stands_in(name: str) -> None:
    fields = json.loads(f'{{"name":{line_of_name(name)}}}')
    again = name_in_line(fields["name"], fields)
    assert again == name
    assert shape(again) == shape(name)
    assert {again: 1}[str(name)] == 1, "it is the same as its text in every table"


@given(names(), TEXTS)
def test_its_own_part_is_what_was_given(name: str, own: str) -> None:
    assert in_scope(name, own).own == item_of(name, own).own == own


def test_what_it_stands_in() -> None:
    name = in_scope(item_of(in_scope("night", "users"), "ann"), "mail")
    assert name == "night.users[ann].mail"
    assert [*scopes_of(name)] == ["night.users[ann]", "night.users", "night"]
    assert (scope_of(name), map_of(name)) == ("night.users[ann]", None)
    assert map_of(item_of("m", "a")) == "m"
    assert scope_of("plain") is None
    assert isinstance(name.scope, ItemName)


@pytest.mark.parametrize(
    "where", [[], ["a", 1], [["a"]], ["a", []], ["a", ["b", "c"]], "a", None, {"a": 1}, [None]]
)
@pytest.mark.parametrize("field", ["map", "scope"])
def test_what_nobody_has_written_is_refused(field: str, where: object) -> None:
    with pytest.raises(ValueError):
        name_in_line("x", {field: where})
