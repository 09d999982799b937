"""Known secrets: masked in all that is shown of a run, refused in all that is saved of it.

A value is looked for as it is, stripped, line by line, and as Python, JSON, URLs and HTML write it,
in a text or in bytes. Errors shorten and wrap what they quote, so of a long value any few
characters in a row are masked as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from durably_cli.errors import ValueRefused
from durably_cli.journal.events import ErrorInfo, Event, LogWritten, ProgressReported, StepFailed
from durably_cli.values.strict_json import Json, to_json

MASK = "**********"

SHORTEST = 4
"""How many characters a value must have to be looked for: shorter ones are part of any text."""

SHARD = 12
"""How many characters in a row of a longer value are enough to know it by."""


class Secrets:
    """The values of a run's secrets, by their paths in the input."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        wholes: dict[str, str] = {}
        parts = set[str]()
        for path, value in (values or {}).items():
            for form in _forms(value, value.strip()):
                wholes.setdefault(form, path)
            parts.update(_forms(*map(str.strip, value.splitlines())))
        self._wholes = _long_enough(wholes)
        self._pattern = _any_of(_long_enough(dict.fromkeys((*wholes, *parts), "")))
        shards = (
            form[n : n + SHARD] for form in self._wholes for n in range(len(form) - SHARD + 1)
        )
        self._shards = frozenset(shard for shard in shards if shard.strip(" -"))

    def __bool__(self) -> bool:
        return bool(self._wholes)

    def mask(self, text: str) -> str:
        """The text with every known value masked."""
        if not self:
            return text
        shown, end = "", 0
        for start, stop in self._hidden(text):
            shown += text[end:start] + MASK
            end = stop
        return shown + text[end:]

    def held_by(self, text: str) -> str | None:
        """The path of a secret that stands in this text, if one does."""
        if not self:
            return None
        return next((path for form, path in self._wholes.items() if form in text), None)

    def refuse(self, text: Json) -> None:
        """ValueRefused if a secret stands somewhere in the JSON of a result."""
        if not self:
            return
        for place, leaf in _leaves(json.loads(text), "$"):
            path = self.held_by(leaf) if isinstance(leaf, str) else self._wholes.get(to_json(leaf))
            if path is not None:
                reason = f"it holds the secret {path}, which no journal may: return something else"
                raise ValueRefused(self.mask(place), reason)

    def masked_error(self, error: ErrorInfo) -> ErrorInfo:
        """The error without any known value."""
        return ErrorInfo(*map(self.mask, error))

    def masked(self, event: Event) -> Event:
        """The event without any known value, if it is of a kind that may hold one."""
        if not self:
            return event
        if isinstance(event, LogWritten):
            data = self._masked(json.loads(to_json(event.data)))
            return event._replace(message=self.mask(event.message), data=data)
        if isinstance(event, ProgressReported) and event.message:
            return event._replace(message=self.mask(event.message))
        if isinstance(event, StepFailed):
            is_clear = self._masked(event.refused) == event.refused
            return event._replace(
                error=self.masked_error(event.error),
                raised=self._masked(event.raised),
                refused=event.refused if is_clear else {},
            )
        return event

    def _masked(self, value: Any) -> Any:
        """A plain JSON value without any known value; a number may be one."""
        if isinstance(value, dict):
            return {self.mask(key): self._masked(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._masked(inner) for inner in value]
        if isinstance(value, str):
            return self.mask(value)
        return MASK if to_json(value) in self._wholes else value

    def _hidden(self, text: str) -> Iterator[tuple[int, int]]:
        """From where to where known values stand in the text, in order and apart."""
        found = [match.span(1) for match in self._pattern.finditer(text)]
        for start in range(len(text) - SHARD + 1):
            if text[start : start + SHARD] in self._shards:
                found.append((start, start + SHARD))
        begin = end = -1
        for start, stop in sorted(found):
            if start > end:
                if end > begin:
                    yield begin, end
                begin, end = start, stop
            end = max(end, stop)
        if end > begin:
            yield begin, end


def _forms(*texts: str) -> Iterator[str]:
    """A value as Python, JSON, URLs and HTML write it, whatever the quotes around it."""
    from html import escape  # only runs with secrets pay for these
    from urllib.parse import quote, quote_plus

    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        yield from (text, to_json(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (quote(data), quote(data, safe=""), quote_plus(data), escape(text))
        once = repr(text)[1:-1]
        for written in (once, ascii(text)[1:-1], repr(data)[2:-1], repr(repr(text))[2:-2]):
            yield written
            bare = re.sub(r"(?<!\\)((?:\\\\)*)\\'", r"\1'", written)
            yield bare
            yield bare.replace("'", "\\'")


def _long_enough(forms: Mapping[str, str]) -> dict[str, str]:
    return {form: path for form, path in forms.items() if len(form) >= SHORTEST}


def _any_of(forms: Mapping[str, str]) -> re.Pattern[str]:
    """Matches each of them wherever it begins, the longest first, in group 1."""
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))")


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The texts, numbers and keys in a JSON value, each with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield place, key
            yield from _leaves(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


NO_SECRETS = Secrets()
