"""What of a JSON value does not fit a JSON Schema, as far as pydantic's schemas go.

For who has the schema of a type and not the type: what a schema says by a word that is not known
here is passed over, for the type itself has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_Fits = Callable[[Any, Any], bool]

_BOUNDS: dict[str, tuple[_Fits, str]] = {
    "minimum": (lambda value, bound: value >= bound, "at least"),
    "maximum": (lambda value, bound: value <= bound, "at most"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "more than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "less than"),
}
_LENGTHS: dict[str, tuple[_Fits, str]] = {
    "minLength": (lambda size, bound: size >= bound, "characters at least"),
    "maxLength": (lambda size, bound: size <= bound, "characters at most"),
    "minItems": (lambda size, bound: size >= bound, "items at least"),
    "maxItems": (lambda size, bound: size <= bound, "items at most"),
}


def misfits(value: Any, schema: dict[str, Any]) -> list[str]:
    """What does not fit, place by place; none if all does."""
    return list(_misfits(value, schema, schema, ""))


def _misfits(value: Any, schema: Any, root: dict[str, Any], place: str) -> Iterator[str]:
    schema = _followed(schema, root)
    if not isinstance(schema, dict):
        return
    at = f"{place}: " if place else ""
    for word in ("anyOf", "oneOf"):
        if word in schema:
            found = [list(_misfits(value, each, root, place)) for each in schema[word]]
            if all(found):
                yield from min(found, key=len)
            return
    if "const" in schema or "enum" in schema:
        known = schema.get("enum", [schema.get("const")])
        if value not in known:
            yield f"{at}{value!r} is none of {', '.join(map(repr, known))}"
        return
    kind = schema.get("type")
    if isinstance(kind, str) and not _is(value, kind):
        yield f"{at}{_shown(value)} is no {kind}"
        return
    yield from _limits(value, schema, at)
    if isinstance(value, dict):
        yield from _fields(value, schema, root, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _misfits(item, schema.get("items"), root, f"{place}[{number}]")


def _fields(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], place: str
) -> Iterator[str]:
    at = f"{place}." if place else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}{name}: it is missing"
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        if name in known:
            yield from _misfits(item, known[name], root, f"{at}{name}")
        elif others is False:
            yield f"{at}{name}: there is no such field"
        elif isinstance(others, dict):
            yield from _misfits(item, others, root, f"{at}{name}")


def _limits(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for word, (fits, said) in _BOUNDS.items():
            if isinstance(schema.get(word), (int, float)) and not fits(value, schema[word]):
                yield f"{at}{value!r} is not {said} {schema[word]}"
    if isinstance(value, (str, list)):
        for word, (fits, said) in _LENGTHS.items():
            if isinstance(schema.get(word), int) and not fits(len(value), schema[word]):
                yield f"{at}it has {len(value):,}, and should have {schema[word]:,} {said}"
    if isinstance(value, str) and isinstance(schema.get("pattern"), str):
        try:
            if not re.search(schema["pattern"], value):
                yield f"{at}{_shown(value)} does not fit {schema['pattern']}"
        except re.error:  # of another language of patterns
            return


def _followed(schema: Any, root: dict[str, Any]) -> Any:
    """What a reference into the same schema stands for."""
    for _ in range(20):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            break
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, dict) else None
        schema = found
    return schema


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        if isinstance(value, bool):
            return False
        if kind == "integer" and isinstance(value, float):
            return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
