"""Plain JSON values, and what is no such value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol

from durably_cli.errors import ValueRefused
from durably_cli.values.quantities import with_article
from durably_cli.values.strict_json import (
    LONGEST_INTEGER,
    SCAN,
    Json,
    is_text,
    to_json,
)

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class DoesNotFit(ValueError):
    """A JSON text that the declared type rejects: a (path, problem) for every field."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        found = (problem if path == "$" else f"{path}: {problem}" for path, problem in problems)
        super().__init__("; ".join(found))
        self.problems = problems


class CodeIsEndless(ValueRefused):
    """A serializer that calls itself for ever: pydantic says which, and drops its frames."""


class Converter(Protocol):
    """How values of one declared type go to JSON and back."""

    def dump(self, value: Any) -> Json:
        """The value as JSON. ValueRefused if it has none."""

    def load(self, text: Json) -> Any:
        """The value of a JSON text. DoesNotFit if the type rejects it."""

    def reveal(self, value: Any) -> Any:
        """The value's parts as they are, secrets among them, in dicts and lists; None if none."""

    def unread(self, text: Json, value: Any) -> list[Unread]:
        """The fields of a JSON text that the type, which made the value of it, passes over."""

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        """The JSON Schema of what is read or written; empty if any JSON will do, or none fits."""


class Plain:
    """The converter of values that are plain JSON already."""

    def dump(self, value: Any) -> Json:
        try:
            return to_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise _refusal(value, error) from None

    def load(self, text: Json) -> Any:
        try:
            value, end = SCAN(text, 0)
        except (StopIteration, ValueError):  # white space in front, or no JSON
            end = -1
        return value if end == len(text) else json.loads(text)

    def reveal(self, value: Any) -> Any:
        return value

    def unread(self, text: Json, value: Any) -> list[Unread]:
        return []

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        return {}


PLAIN = Plain()

ANNOTATE = "annotate what the function returns, or give `returns=` to step.run"
"""What to do about the result of a step that is not plain JSON."""


ENDLESS = "it is nested too deeply, or contains itself"


def _refusal(value: Any, error: Exception) -> ValueRefused:
    """What to say of a value that was not written as JSON for this error."""
    if isinstance(error, RecursionError):
        return ValueRefused("$", ENDLESS)
    try:
        return why_not_plain(value) or ValueRefused("$", str(error))
    except RecursionError:
        return ValueRefused("$", str(error))


def _about_surrogates(text: str) -> str:
    """Python makes surrogates of the bytes of a file's name that are no UTF-8."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "which no JSON reader takes"
    return (
        "as in the name of a file that is not UTF-8: return os.fsencode(name), declared as bytes, "
        "or give the file another name"
    )


def why_not_plain(value: Any, path: str = "$") -> ValueRefused | None:
    """The first part of a value that is not plain JSON, and what to do about it."""
    if isinstance(value, str):
        if not is_text(value):
            return ValueRefused(path, "the text has a lone surrogate, " + _about_surrogates(value))
    elif isinstance(value, int) and abs(value) >= 10**LONGEST_INTEGER:
        return ValueRefused(
            path, f"an integer of more than {LONGEST_INTEGER:,} digits is not JSON; return a text"
        )
    elif isinstance(value, float) and not math.isfinite(value):
        return ValueRefused(path, f"{value} is not JSON; return None or a text in its place")
    elif isinstance(value, dict):
        for key, item in value.items():
            found = why_not_plain(key, f"{path} (a key)") or why_not_plain(item, f"{path}[{key!r}]")
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if found := why_not_plain(item, f"{path}[{index}]"):
                return found
    elif value is not None and not isinstance(value, (bool, int, float)):
        return ValueRefused(
            path,
            f"{with_article(type(value).__qualname__)} is not plain JSON; "
            + ("return a list of what it gives" if isinstance(value, Iterator) else ANNOTATE),
        )
    return None
