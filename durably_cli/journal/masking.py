"""Known secrets: masked in all that is shown of a run, refused in all that is saved of it.

A value is looked for as it is, stripped, line by line, and in every form of `secret_forms`. Errors
shorten and wrap what they quote, so of a long value any few characters in a row are masked as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from durably_cli.errors import ValueRefused
from durably_cli.journal.events import ErrorInfo, LogWritten, ProgressReported
from durably_cli.journal.registry import Event
from durably_cli.journal.secret_forms import encoded_forms_of, forms_of
from durably_cli.journal.step_events import StepFailed, StepRetrying
from durably_cli.journal.wait_events import StepWaiting
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
            for whole in (value, value.strip()):
                if len(whole) >= SHORTEST:
                    for form in (*forms_of(whole), *encoded_forms_of(whole)):
                        wholes.setdefault(form, path)
            for line in value.splitlines():
                parts.update(forms_of(line.strip()))
        self._wholes = _long_enough(wholes)
        shards = (shard for form in self._wholes for shard in _shards_of(form))
        self._shards = frozenset(shard for shard in shards if shard.strip(" -"))
        others = _long_enough(dict.fromkeys((*wholes, *parts), ""))
        self._pattern = _any_of(filter(self._is_more_than_shards, others))

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
        if found := self.find_in(text):
            place, path = found
            reason = f"it holds the secret {path}, which no journal may: return something else"
            raise ValueRefused(place, reason)

    def find_in(self, text: Json) -> tuple[str, str] | None:
        """Where a secret stands in a JSON value, and its path in the input; None if none does."""
        if not self:
            return None
        for place, leaf in _leaves(json.loads(text), "$"):
            path = self.held_by(leaf) if isinstance(leaf, str) else self._wholes.get(to_json(leaf))
            if path is not None:
                return self.mask(place), path
        return None

    def masked_error(self, error: ErrorInfo) -> ErrorInfo:
        """The error without any known value."""
        return ErrorInfo(*map(self.mask, error))

    def masked(self, event: Event) -> Event:
        """The event without any known value, if it is of a kind that may hold one."""
        if not self:
            return event
        if isinstance(event, LogWritten):
            data = self._masked(json.loads(to_json(event.data)))
            source = None if event.source is None else self.mask(event.source)
            return event._replace(message=self.mask(event.message), data=data, source=source)
        if isinstance(event, ProgressReported) and event.message:
            return event._replace(message=self.mask(event.message))
        if isinstance(event, StepWaiting):
            return event._replace(prompt=self.mask(event.prompt), takes=self._masked(event.takes))
        if isinstance(event, StepRetrying):
            return event._replace(error=self.masked_error(event.error))
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
        digits = to_json(value).removeprefix("-")
        is_secret = digits in self._wholes or digits.removesuffix(".0") in self._wholes
        return MASK if is_secret or to_json(value) in self._wholes else value

    def _is_more_than_shards(self, form: str) -> bool:
        """Must it be looked for besides what it consists of? Few must: a long key costs little."""
        return len(form) < SHARD or not self._shards.issuperset(_shards_of(form))

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


def _long_enough(forms: Mapping[str, str]) -> dict[str, str]:
    return {form: path for form, path in forms.items() if len(form) >= SHORTEST}


def _shards_of(form: str) -> Iterator[str]:
    return (form[n : n + SHARD] for n in range(len(form) - SHARD + 1))


def _any_of(forms: Iterable[str]) -> re.Pattern[str]:
    """Matches each of them wherever it begins, the longest first, in group 1; or nothing."""
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile(f"(?=({'|'.join(map(re.escape, longest_first)) or '(?!)'}))")


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
