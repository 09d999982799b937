"""The secrets in the parts of an input, which a converter has revealed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from durably_cli.values.secret_sources import path_of


def secrets_in(revealed: Any) -> Iterator[tuple[str, str]]:
    """The path and the value of every secret in the parts of an input.

    Parts may contain themselves, and be nested deeper than any stack.
    """
    inside: dict[int, _Part] = {}
    pending = [_Part(None, "", revealed)]
    while pending:
        part = pending.pop()
        if part is inside.get(id(part.value)):  # all that is in it has been looked at
            del inside[id(part.value)]
        elif isinstance(part.value, (dict, list, tuple)):
            if id(part.value) not in inside:
                inside[id(part.value)] = part
                pending += (part, *part.inner)
        elif hasattr(part.value, "get_secret_value"):
            secret = part.value.get_secret_value()
            text = secret.decode("utf-8", "replace") if isinstance(secret, bytes) else str(secret)
            yield path_of(part.keys), text


class _Part(NamedTuple):
    """A part of an input, the key that leads there, and the part that it is in."""

    outer: _Part | None
    key: str | int
    value: Any

    @property
    def inner(self) -> list[_Part]:
        value = self.value
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [_Part(self, key, each) for key, each in items if type(each) not in _LEAVES][::-1]

    @property
    def keys(self) -> list[str | int]:
        found, part = [], self
        while part.outer is not None:
            found.append(part.key)
            part = part.outer
        return found[::-1]


_LEAVES = frozenset((str, int, float, bool, type(None)))


def holds(given: Any, text: str) -> bool:
    """Is this one of the texts or numbers of a JSON value?"""
    if isinstance(given, dict):
        return any(holds(inner, text) for inner in given.values())
    if isinstance(given, list):
        return any(holds(inner, text) for inner in given)
    return not isinstance(given, bool) and given is not None and str(given) == text
