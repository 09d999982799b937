"""What a trigger asks for, and how it ended up with its run. Plain values, known to all layers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.engines.who import host
from durably_cli.errors import DurablyError, InvalidInput, UsageError
from durably_cli.journal.events import FORMAT, RunCreated
from durably_cli.system import clock
from durably_cli.values.strict_json import Json, is_text, printable
from durably_cli.values.untrusted import repr_of

if TYPE_CHECKING:
    from durably_cli.journal.masking import Secrets


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
    FORKED = "forked"


class Request(NamedTuple):
    """What a trigger asks for.

    `input` is the JSON as it was given, `input_of_before` as durably 0.1 read the same command
    line, if that was another one, and `canonical` the canonical form of an input of Python, which
    knows what of it was given; `project` and `folder` are paths, of which the job runs in the
    latter. `retry_failed` resumes a run of the idempotency key that has failed.
    """

    job: str
    input: Json
    project: str
    folder: str = ""
    input_of_before: Json | None = None
    canonical: Json | None = None
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    labels: Mapping[str, str] = {}
    on_conflict: OnConflict = OnConflict.WAIT
    wait: bool = True
    retry_failed: bool = False

    def checked(self) -> Request:
        """The same of plain texts.

        UsageError for a key or a label that is none, or is empty, and for what is about a key that
        is not there.
        """
        labels = _plain_labels(self.labels)
        once = _plain_key("idempotency key", self.idempotency_key)
        turn = _plain_key("concurrency key", self.concurrency_key)
        for text in filter(None, (*labels, *labels.values(), once, turn)):
            if not is_text(text):
                raise UsageError(f"{text!r} is not text: it cannot be written as UTF-8")
        if self.retry_failed and once is None:
            raise UsageError("retry_failed says nothing without an idempotency_key")
        return self._replace(labels=labels, idempotency_key=once, concurrency_key=turn)

    def made_as(self, run_id: str, settled: Json) -> RunCreated:
        """What its run is made as, with this input."""
        return RunCreated(
            format=FORMAT,
            run=run_id,
            job=self.job,
            input=settled,
            at=clock.now(),
            idempotency_key=self.idempotency_key,
            concurrency_key=self.concurrency_key,
            labels=dict(self.labels),
            project=printable(self.project),
            pid=os.getpid(),
            host=host(),
            folder=self.folder,
        )

    def refuse_secrets(self, secrets: Secrets) -> None:
        """InvalidInput if a key or a label holds one: they are journalled, and shown in lists."""
        texts = {"idempotency key": self.idempotency_key, "concurrency key": self.concurrency_key}
        texts |= {f"label {name!r}": f"{name}={value}" for name, value in self.labels.items()}
        for what, text in texts.items():
            secret = secrets.held_by(text or "")
            if secret is not None:
                raise InvalidInput(
                    f"the {secrets.mask(what)} holds the secret {secret}, which no journal may",
                    hint="leave it out, or use a hash of it",
                )


def _plain_key(words: str, key: object) -> str | None:
    plain = _plain(key)
    if key is not None and not plain:
        raise UsageError(f"the {words} must be a text that is not empty, not {_shown(key)}")
    return plain


def _plain_labels(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise UsageError(f"labels must be a dict of texts, not {_shown(given)}")
    labels: dict[str, str] = {}
    for name, value in given.items():
        plain, text = _plain(name), _plain(value)
        if not plain or "=" in plain or any(map(_is_odd_in_a_name, plain)):
            raise UsageError(
                "a label's name must be a text without '=', spaces and control characters, "
                f"not {_shown(name)}"
            )
        if text is None:
            raise UsageError(f"the label {plain!r} must be a text, not {_shown(value)}")
        if plain in labels:
            raise UsageError(f"the label {plain!r} is given twice")
        labels[plain] = text
    return labels


def _is_odd_in_a_name(character: str) -> bool:
    return character.isspace() or not (character.isprintable() or _is_surrogate(character))


def _is_surrogate(character: str) -> bool:
    """Is it no text at all? That is refused elsewhere, with another reason."""
    return "\ud800" <= character <= "\udfff"


def _plain(value: object) -> str | None:
    """The characters of a text, whose class may be the user's own and do anything."""
    return str.__str__(value) if isinstance(value, str) else None


def _shown(value: object) -> str:
    return repr_of(value)


@contextmanager
def errors_about(run_id: str) -> Iterator[None]:
    """Inside, errors are about this run, unless they say of which they are."""
    try:
        yield
    except DurablyError as error:
        error.run = error.run or run_id
        raise


def canonical_sha256(text: Json) -> str:
    """The sha256 of a JSON text, whatever the order of its names and its white space."""
    import json
    from hashlib import sha256  # not for all who know a disposition

    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode("ascii")).hexdigest()
