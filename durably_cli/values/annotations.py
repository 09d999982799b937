"""What an annotation is written with."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any


def written_in(annotation: Any, met: tuple[Any, ...] = ()) -> Iterator[Any]:
    """All that an annotation is written with: classes, and what `Annotated` adds to them."""
    if any(annotation is each for each in met):  # a type that holds itself
        return
    annotation, alias = getattr(annotation, "__value__", annotation), annotation
    inner = typing.get_args(annotation)
    yield typing.get_origin(annotation) or annotation
    for each in inner:
        yield from written_in(each, (*met, alias))


def type_hints_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class, resolved; none if one names what only type checkers know."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:  # they may be any code
        return {}
