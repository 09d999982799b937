"""What a trigger asks for, and how it ended up with its run. Plain values, known to all layers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from durably_cli.errors import UsageError
from durably_cli.values.strict_json import Json, is_text


class OnConflict(StrEnum):
    """What a trigger does when its concurrency key is taken."""

    WAIT = "wait"
    SKIP = "skip"
    FAIL = "fail"


class Disposition(StrEnum):
    """How a trigger ended up with its run."""

    CREATED = "created"
    IDEMPOTENT = "idempotent"
    COALESCED = "coalesced"


class Request(NamedTuple):
    """What a trigger asks for.

    `input` is the JSON as it was given, `input_of_before` as durably 0.1 read the same command
    line, if that was another one; `project` and `folder` are paths, of which the job runs in the
    latter.
    """

    job: str
    input: Json
    project: str
    folder: str = ""
    input_of_before: Json | None = None
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    labels: Mapping[str, str] = {}
    on_conflict: OnConflict = OnConflict.WAIT
    wait: bool = True

    def check(self) -> None:
        """UsageError for a key or a label that is not a text, or is empty."""
        for name in ("idempotency_key", "concurrency_key"):
            key, words = getattr(self, name), name.replace("_", " ")
            if key is not None and not (isinstance(key, str) and key):
                raise UsageError(f"the {words} must be a text that is not empty, not {key!r}")
        for name, value in self.labels.items():
            if not (isinstance(name, str) and name and "=" not in name):
                raise UsageError(f"a label's name must be a text without '=', not {name!r}")
            if not isinstance(value, str):
                raise UsageError(f"the label {name!r} must be a text, not {value!r}")
        if len(set(map(_plain, self.labels))) < len(self.labels):
            raise UsageError("two labels have the same name")
        texts = (*self.labels, *self.labels.values(), self.idempotency_key, self.concurrency_key)
        for text in filter(None, texts):
            if not is_text(text):
                raise UsageError(f"{text!r} is not text: it cannot be written as UTF-8")

    @property
    def plain_labels(self) -> dict[str, str]:
        """The labels as texts, whatever classes of texts they were."""
        return {_plain(name): _plain(value) for name, value in self.labels.items()}


def _plain(text: str) -> str:
    return str.__str__(text)
