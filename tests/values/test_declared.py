"""What functions declare, seen through whatever they are wrapped in."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Self, get_origin

import pytest
from pydantic import BaseModel

from durably_cli.values.declared import UNDECLARED, returned_by


class Model(BaseModel):
    x: int = 1


def returns_list() -> list[int]:
    return [1]


def returns_unknown() -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
    return None


class Callee:
    field: int = 0

    def __call__(self) -> tuple[int, int]:
        return 1, 2

    def method(self) -> set[int]:
        return {1}

    def itself(self) -> Self:
        return self

    @classmethod
    def made(cls) -> Callee:
        return cls()


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (returns_list, list[int]),
        (functools.partial(functools.partial(returns_list)), list[int]),
        (functools.lru_cache(returns_list), list[int]),
        (Callee(), tuple[int, int]),
        (Callee().method, set[int]),
        (Callee.made, Callee),
        (Callee().itself, Callee),
        (Model.model_validate, Model),
        (Model, Model),
        (lambda: 1, UNDECLARED),
        (len, UNDECLARED),
        (dict, UNDECLARED),
        ({}.get, UNDECLARED),
    ],
)
def test_the_type_that_a_callable_returns_is_seen_through_wrappings(
    fn: Callable[..., Any], expected: Any
) -> None:
    assert returned_by(fn) == expected


def test_an_annotation_that_cannot_be_resolved_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match="'Nowhere' of returns_unknown cannot be resolved"):
        returned_by(returns_unknown)


if sys.version_info >= (3, 12):  # which has the syntax

    def test_type_parameters_are_resolved_where_annotations_are_texts() -> None:
        names: dict[str, Any] = {}
        exec(
            "from __future__ import annotations\n"
            "def first[T](items: list[T]) -> list[T]: return items\n"
            "class Box[T]:\n"
            "    def get(self) -> dict[str, T]: return {}\n"
            "    class Lid[U]:\n"
            "        def both(self) -> tuple[T, U]: ...\n",
            names,
        )
        box = names["Box"]
        for callable_, origin in (
            (names["first"], list),
            (box().get, dict),
            (box.Lid().both, tuple),
        ):
            assert get_origin(returned_by(callable_)) is origin
