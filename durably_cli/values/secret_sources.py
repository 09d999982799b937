"""Secrets of an input: its journal holds where each comes from, and never the value.

A field that is pydantic's SecretStr, or a Secret, is given as `env:NAME` or `file:PATH`. That is
what is journalled. The value is read when an attempt begins, so a resumed run reads it again. What
becomes of a value that is known is the matter of module `masking`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.values.json_schemas import REFERENCE, readable
from durably_cli.values.strict_json import to_json

HOW_TO_REFER = "a secret is not given as it is, but where it comes from: env:NAME or file:PATH"


class SecretMissing(ValueError):
    """Where a secret should come from, there is none; the message says where that is."""


class Place(NamedTuple):
    """Where something stands in a JSON value: the keys that lead there, and what holds it."""

    keys: tuple[str | int, ...]
    container: Any

    @property
    def key(self) -> Any:
        """The last of the keys, in what holds it."""
        return self.keys[-1] if self.keys else 0

    @property
    def value(self) -> Any:
        """What stands there."""
        return self.container[self.key]

    @property
    def path(self) -> str:
        """The keys in words."""
        return path_of(self.keys)


def path_of(keys: Iterable[str | int]) -> str:
    """Where the keys lead, in words: `database.password`, `tokens[0]`."""
    words = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return "".join(words).removeprefix(".") or "$"


def resolve(reference: object) -> str:
    """The value that `env:NAME` or `file:PATH` stands for. SecretMissing if it is not there."""
    kind, _, where = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind == "env" and where:
        value = os.environ.get(where)
        if not value:
            raise SecretMissing(f"the environment has no {where}")
        return value
    if kind == "file" and where:
        path = Path(os.path.expanduser(where))
        if not path.is_absolute():
            raise SecretMissing(f"{where} is a path from the working directory; give one from /")
        try:
            return path.read_text(encoding="utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretMissing(f"{where}: {why}") from None
    raise SecretMissing(HOW_TO_REFER)


def is_secret_reference(text: str) -> bool:
    """Does this say where a secret comes from?"""
    return text.startswith(("env:", "file:"))


def has_secrets(schema: Mapping[str, Any]) -> bool:
    """May a value of this JSON Schema hold secrets?"""
    return '"writeOnly":true' in to_json(schema)


def places(schema: Mapping[str, Any], root: list[Any]) -> list[Place]:
    """Where secrets stand in a JSON value, which is the one item of `root`."""
    found: dict[str, Place] = {}
    schema = readable(schema)
    definitions = schema.get("$defs", {})
    for place in _places(schema, definitions, Place((), root)):
        found.setdefault(place.path, place)
    return list(found.values())


def _places(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    here: Place,
    met: frozenset[str] = frozenset(),
) -> Iterator[Place]:
    """`met` are the references that lead here: one that leads to itself leads nowhere."""
    while schema.get("$ref", "").startswith(REFERENCE):
        if schema["$ref"] in met:
            return
        met |= {schema["$ref"]}
        schema = definitions.get(schema["$ref"].removeprefix(REFERENCE), {})
    value = here.value
    if schema.get("writeOnly") and schema.get("format") == "password":
        if isinstance(value, str):
            yield here
        return
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _places(option, definitions, here, met)
    if isinstance(value, dict):
        named = schema.get("properties", {})
        other = schema.get("additionalProperties")
        for key in value:
            inner = named.get(key, other)
            if isinstance(inner, dict):
                yield from _places(inner, definitions, Place((*here.keys, key), value))
    elif isinstance(value, list):
        first = schema.get("prefixItems", ())
        for index in range(len(value)):
            inner = first[index] if index < len(first) else schema.get("items")
            if isinstance(inner, dict):
                yield from _places(inner, definitions, Place((*here.keys, index), value))
