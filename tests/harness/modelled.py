"""The model of a run: the lines that were written, and how many of them were acknowledged."""

from __future__ import annotations

import json
import os
from pathlib import Path

from durably_cli.journal.registry import DURABLE, Event
from durably_cli.journal.state import Status
from durably_cli.journal.writer import Journal

SECTOR = 512
STATUS = {
    "run.completed": Status.COMPLETED,
    "run.failed": Status.FAILED,
    "run.cancelled": Status.CANCELLED,
}


class Run:
    """A run as it must be found: its lines, of which the first `synced` are acknowledged.

    `torn` is how many bytes a crash left behind them, and `flipped` in which line a bit was
    flipped; it must then be refused, if that was acknowledged.
    """

    def __init__(self, path: Path, key: str | None, made: Journal) -> None:
        self.path, self.id, self.key = path, path.stem, key
        self.journal: Journal | None = made
        self.lines, self.synced, self.torn = [path.read_bytes()], 1, 0
        self.flipped: int | None = None
        self.must_be_refused = False
        self.results: dict[str, str] = {}

    @property
    def is_free(self) -> bool:
        return self.journal is None

    @property
    def status(self) -> Status:
        types = [json.loads(line)["type"] for line in self.lines]
        last = [each for each in types if each != "run.repaired"][-1]
        return STATUS.get(last, Status.INTERRUPTED if self.is_free else Status.RUNNING)

    @property
    def acknowledged(self) -> dict[str, str]:
        """The results of the steps that are completed in it."""
        events = map(json.loads, self.lines)
        names = [each["name"] for each in events if each["type"] == "step.completed"]
        return {name: self.results[name] for name in names}

    def ends(self) -> list[int]:
        """Where its lines end."""
        return [sum(map(len, self.lines[: n + 1])) for n in range(len(self.lines))]

    def append(self, event: Event) -> None:
        assert self.journal is not None
        self.journal.append(event)
        self.lines.append(self.path.read_bytes()[self.ends()[-1] :])
        if type(event) in DURABLE:
            self.synced = len(self.lines)

    def let_go(self) -> None:
        """Its process is gone."""
        assert self.journal is not None
        self.journal.close()
        self.journal = None

    def crash(self, place: float, zeros: int) -> None:
        """Only some of what was not synced reached the disk; then zeros, if any.

        They begin behind a line or at a sector: a disk writes that as a whole.
        """
        self.let_go()
        ends = self.ends()
        first, size = ends[self.synced - 1], ends[-1]
        sectors = range(-(-first // SECTOR) * SECTOR, size, SECTOR)
        places = [*ends[self.synced - 1 :], *sectors] if zeros else range(first, size + 1)
        at = places[int(place * len(places))]
        os.truncate(self.path, at)
        os.truncate(self.path, at + zeros)
        whole = sum(end - 1 <= at for end in ends)
        self.torn = at + zeros - min(at, ends[whole - 1])
        del self.lines[whole:]

    def flip(self, place: float, bit: int) -> None:
        """Another bit stands somewhere."""
        with self.path.open("r+b") as file:
            byte = int(place * self.path.stat().st_size)
            old = os.pread(file.fileno(), 1, byte)[0]
            os.pwrite(file.fileno(), bytes((old ^ 1 << bit,)), byte)
        self.flipped = 1 + sum(end <= byte for end in self.ends())
        self.must_be_refused = byte < self.ends()[self.synced - 1]
