"""What a trigger asks for, and how it ended up with its run. Plain values, known to all layers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from durably_cli.events import Json


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
    """What a trigger asks for; `input` is the JSON as it was given, `project` a path."""

    job: str
    input: Json
    project: str
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    labels: Mapping[str, str] = {}
    on_conflict: OnConflict = OnConflict.WAIT
    wait: bool = True
