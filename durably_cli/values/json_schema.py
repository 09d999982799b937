"""What of a JSON value does not fit a JSON Schema, as far as pydantic's schemas go.

For who has the schema of a type and not the type: what a schema says by a word that is not known
here is passed over, for the type itself has the last word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, time
from typing import Any
from uuid import UUID

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


def _time(text: str) -> object:
    return time.fromisoformat(text.upper())


def _moment(text: str) -> object:
    return datetime.fromisoformat(text.upper())


def _span(text: str) -> None:
    if not _ISO_SPAN.fullmatch(text) and not _CLOCK_SPAN.fullmatch(text):
        raise ValueError(text)


_ISO_SPAN = re.compile(r"[-+]?P(?=.)([\d.,]+[YMWD])*(T(?=.)([\d.,]+[HMS])*)?", re.IGNORECASE)
_CLOCK_SPAN = re.compile(r"[-+]?(\d+ *d?(ay)?s?,? *)?\d+:\d+(:\d+([.,]\d+)?)?", re.IGNORECASE)

_FORMATS: dict[str, tuple[Callable[[str], object], str]] = {
    "date": (_moment, "date"),
    "date-time": (_moment, "date and time"),
    "time": (_time, "time of a day"),
    "duration": (_span, "duration, such as P3DT12H"),
    "uuid": (UUID, "UUID"),
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
        if not any(_are_same(value, each) for each in known):
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
        first = schema.get("prefixItems", ())
        for number, item in enumerate(value):
            inner = first[number] if number < len(first) else schema.get("items")
            yield from _misfits(item, inner, root, f"{place}[{number}]")
        if schema.get("uniqueItems") is True and len(set(map(_text, value))) < len(value):
            yield f"{at}an item stands in it twice"


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
        yield from _of_a_number(value, schema, at)
    if isinstance(value, (str, list)):
        for word, (fits, said) in _LENGTHS.items():
            if isinstance(schema.get(word), int) and not fits(len(value), schema[word]):
                yield f"{at}it has {len(value):,}, and should have {schema[word]:,} {said}"
    if isinstance(value, str):
        yield from _of_a_text(value, schema, at)


def _of_a_number(value: float, schema: dict[str, Any], at: str) -> Iterator[str]:
    for word, (fits, said) in _BOUNDS.items():
        if isinstance(schema.get(word), (int, float)) and not fits(value, schema[word]):
            yield f"{at}{value!r} is not {said} {schema[word]}"
    part = schema.get("multipleOf")
    if isinstance(part, (int, float)) and part > 0 and not _is_multiple(value, part):
        yield f"{at}{value!r} is no multiple of {part}"


def _is_multiple(value: float, part: float) -> bool:
    """As exact as floats are."""
    try:
        rest = value % part
    except OverflowError:  # of an integer that is too large for a float
        return True
    return min(rest, part - rest) <= (0 if isinstance(rest, int) else abs(value) / 1e9)


def _of_a_text(value: str, schema: dict[str, Any], at: str) -> Iterator[str]:
    read, said = _FORMATS.get(str(schema.get("format")), (str, ""))
    try:
        read(value)
    except ValueError:
        yield f"{at}{_shown(value)} is no {said}"
    if isinstance(schema.get("pattern"), str):
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


def _are_same(value: Any, known: Any) -> bool:
    """Equal, and no number in place of true or false."""
    if isinstance(value, (dict, list)):
        return _text(value) == _text(known)
    return bool(value == known) and isinstance(value, bool) == isinstance(known, bool)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
