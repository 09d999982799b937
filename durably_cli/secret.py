"""Secrets of an input: its journal holds where each comes from, and never the value.

A field that is pydantic's SecretStr, or a Secret, is given as `env:NAME` or `file:PATH`. That is
what is journalled. The value is read when an attempt begins, so a resumed run reads it again.
Wherever a known value turns up in a log line or an error it is masked, and a result that holds one
is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.codec import to_json
from durably_cli.errors import ValueRefused
from durably_cli.events import ErrorInfo, Event, Json, LogWritten, ProgressReported, StepFailed

MASK = "**********"

SHORTEST = 4
"""How many characters a value must have to be looked for: shorter ones are part of any text."""

HOW_TO_REFER = "a secret is not given as it is, but where it comes from: env:NAME or file:PATH"

_REFERENCE = "#/$defs/"


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
        """The keys in words: `database.password`, `tokens[0]`."""
        words = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.keys)
        return "".join(words).removeprefix(".") or "$"


class Secrets:
    """The values of a run's secrets, by their paths in the input."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = {
            path: value for path, value in (values or {}).items() if len(value) >= SHORTEST
        }

    def mask(self, text: str) -> str:
        """The text with every known value masked."""
        for value in self._values.values():
            text = text.replace(value, MASK)
        return text

    def refuse(self, text: Json) -> None:
        """ValueRefused if a secret stands somewhere in the JSON of a result."""
        for path, value in self._values.items():
            if to_json(value)[1:-1] in text:
                reason = f"it holds the secret {path}, which no journal may: return something else"
                raise ValueRefused("$", reason)

    def masked_error(self, error: ErrorInfo) -> ErrorInfo:
        """The error without any known value."""
        return ErrorInfo(*map(self.mask, error))

    def masked(self, event: Event) -> Event:
        """The event without any known value, if it is of a kind that may hold one."""
        if not self._values:
            return event
        if isinstance(event, LogWritten):
            data = json.loads(self._mask_json(to_json(event.data)))
            return event._replace(message=self.mask(event.message), data=data)
        if isinstance(event, ProgressReported) and event.message:
            return event._replace(message=self.mask(event.message))
        if isinstance(event, StepFailed):
            return event._replace(error=self.masked_error(event.error))
        return event

    def _mask_json(self, text: str) -> str:
        for value in self._values.values():
            text = text.replace(to_json(value)[1:-1], MASK)
        return text


NO_SECRETS = Secrets()


def resolve(reference: object) -> str:
    """The value that `env:NAME` or `file:PATH` stands for. SecretMissing if it is not there."""
    kind, _, where = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind == "env" and where:
        value = os.environ.get(where)
        if not value:
            raise SecretMissing(f"the environment has no {where}")
        return value
    if kind == "file" and where:
        path = Path(where).expanduser()
        if not path.is_absolute():
            raise SecretMissing(f"{where} is a path from the working directory; give one from /")
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretMissing(f"{where}: {why}") from None
    raise SecretMissing(HOW_TO_REFER)


def is_reference(text: str) -> bool:
    """Does this say where a secret comes from?"""
    return text.startswith(("env:", "file:"))


def has_secrets(schema: Mapping[str, Any]) -> bool:
    """May a value of this JSON Schema hold secrets?"""
    return '"writeOnly":true' in to_json(schema)


def places(schema: Mapping[str, Any], root: list[Any]) -> list[Place]:
    """Where secrets stand in a JSON value, which is the one item of `root`."""
    found: dict[str, Place] = {}
    definitions = schema.get("$defs", {})
    for place in _places(schema, definitions, Place((), root)):
        found.setdefault(place.path, place)
    return list(found.values())


def _places(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], here: Place
) -> Iterator[Place]:
    while str(schema.get("$ref", "")).startswith(_REFERENCE):
        schema = definitions.get(schema["$ref"].removeprefix(_REFERENCE), {})
    value = here.value
    if schema.get("writeOnly") and schema.get("format") == "password":
        if isinstance(value, str):
            yield here
        return
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _places(option, definitions, here)
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
