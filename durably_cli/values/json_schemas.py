"""JSON Schemas as code of the user's may leave them: a hook of a model may put anything anywhere.

What durably reads of a schema it reads from here, where every keyword has the shape that it should
have; one of another shape is passed over, as JSON Schema passes over what it does not know. What
people and programs are shown is the schema as the model gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REFERENCE = "#/$defs/"


class OddSchema(ValueError):
    """What a model gives as its JSON Schema can be no JSON."""


def readable(schema: object) -> dict[str, Any]:
    """The schema without what nobody could read; empty for `true`, and for what is no schema."""
    if not isinstance(schema, dict):
        return {}
    found = {}
    for keyword, value in schema.items():
        read = _SHAPES.get(keyword)
        part = value if read is None else read(value)
        if part is not None or read is None:
            found[keyword] = part
    return found


def _named(value: object) -> dict[str, Any] | None:
    return {k: readable(v) for k, v in value.items()} if isinstance(value, dict) else None


def _listed(value: object) -> list[Any] | None:
    return [readable(each) for each in value] if isinstance(value, list) else None


def _values(value: object) -> list[Any] | None:
    return value if isinstance(value, list) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_SHAPES: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("$defs", "properties"), _named),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _listed),
    **dict.fromkeys(("items", "additionalProperties"), readable),
    **dict.fromkeys(("required", "enum", "examples"), _values),
    **dict.fromkeys(("$ref", "format", "description"), _text),
}
"""The keywords that durably reads and that have one shape each."""
