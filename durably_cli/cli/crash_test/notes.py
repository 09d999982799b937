"""What the tester says to the processes of a trial, and what these write down for it.

Each note is one write of one JSON line: a kill behind it loses nothing of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

BEHIND, BEFORE, INSIDE = "behind", "before", "inside"


class KillAt(NamedTuple):
    """Where a process is killed: `behind` or `before` a line of a journal, or `inside` a step.

    A line has a `number`, and `what` it is; inside of a step it is line `line` of `file`, which is
    about to be executed for the `visit`th time. `shown` is the line of the project that led there.
    """

    kind: str
    number: int = 0
    what: str = ""
    step: str = ""
    file: str = ""
    line: int = 0
    visit: int = 0
    shown: str = ""


class Orders(NamedTuple):
    """What a process of a trial is to do besides its work, and where to write down what it sees.

    `signals` are JSON texts to send once a step waits for them. If it `records`, it notes where it
    could be killed, and what changes.
    """

    notes: str
    project: str
    kill_at: KillAt | None = None
    records: bool = False
    watched: list[str] = []
    signals: dict[str, str] = {}

    def dump(self) -> str:
        """As the variable has it."""
        return json.dumps(self._asdict() | {"kill_at": self.kill_at and [*self.kill_at]})


def read_orders(text: str) -> Orders:
    """What `Orders.dump` gave."""
    found = json.loads(text)
    place = found.pop("kill_at")
    return Orders(kill_at=place and KillAt(*place), **found)


class NoteWriter:
    """Writes notes, from any thread."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, kind: str, **fields: Any) -> None:
        """Add a note of this kind."""
        data = json.dumps({"note": kind, **fields}).encode() + b"\n"
        os.write(self._fd, data)


class Notes:
    """What one process has written down."""

    def __init__(self, path: Path) -> None:
        lines = path.read_bytes().splitlines() if path.exists() else []
        self._all: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def of(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Those of these kinds, in order."""
        return (note for note in self._all if note["note"] in kinds)

    def last(self, kind: str) -> dict[str, Any] | None:
        """The last one of this kind."""
        return next((note for note in reversed(self._all) if note["note"] == kind), None)

    @property
    def has_killed(self) -> bool:
        """Was the process killed at its place? What has started it may end otherwise: uv does."""
        return self.last("killed") is not None

    @property
    def in_flight(self) -> list[str]:
        """The steps that had begun and had no result when the process ended."""
        found = dict[str, None]()
        for note in self.of("line"):
            if note["type"] in ("step.started", "step.waiting"):
                found[note["step"]] = None
            elif note["type"] in ("step.completed", "step.failed"):
                found.pop(note["step"], None)
        return [*found]

    @property
    def is_side_by_side(self) -> bool:
        """Were two steps in flight at a time?"""
        open_ones = set[str]()
        for note in self.of("line"):
            if note["type"] == "step.started":
                open_ones.add(note["step"])
            elif note["type"] in ("step.completed", "step.failed"):
                open_ones.discard(note["step"])
            if len(open_ones) > 1:
                return True
        return False
