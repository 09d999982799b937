"""The model of a run: what was acknowledged, what was only written, and what was done to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from durably_cli.engines.local.execute import BoundHandler, LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import DURABLE, Event, RunCreated, RunStarted, StepCompleted
from durably_cli.journal.state import Status, fold
from durably_cli.journal.writer import Journal
from durably_cli.values.strict_json import Json

AT = "2026-11-24T03:52:01.251Z"
SECTOR = 512
NAMES = ("s0", "s1", "s2", "s3")


class Run:
    """A run as it must be found: `events`, of which the first `synced_events` are acknowledged.

    `torn` is how many bytes a crash left behind them, and `flipped` in which line a bit was
    flipped.
    """

    def __init__(self, path: Path, key: str | None, made: Journal, created: RunCreated) -> None:
        self.path, self.id, self.key = path, path.stem, key
        self.journal: Journal | None = made
        self.events: list[Event] = [created]
        self.ends = [path.stat().st_size]
        self.results: dict[str, Json] = {}
        self.synced_events, self.synced_bytes = 1, self.ends[0]
        self.torn = 0
        self.flipped: int | None = None
        self.must_be_refused = False

    @property
    def is_held(self) -> bool:
        """Does this process own it?"""
        return self.journal is not None

    @property
    def is_whole(self) -> bool:
        """Has nothing but crashes happened to it?"""
        return self.flipped is None

    @property
    def is_final(self) -> bool:
        """Has it ended for good?"""
        return fold(self.events).is_final

    @property
    def status(self) -> Status:
        """Where it stands."""
        state = fold(self.events)
        return state.status if state.has_ended or self.is_held else Status.INTERRUPTED

    def append(self, *events: Event) -> None:
        """Append them, and enter in the books what is acknowledged once that has returned."""
        assert self.journal is not None
        for event in events:
            self.journal.append(event)
            if isinstance(event, StepCompleted):
                self.results[event.name] = event.result
                event = event._replace(result=_as_written(self.path, event))
            self._entered(event)

    def _entered(self, event: Event) -> None:
        self.events.append(event)
        self.ends.append(self.path.stat().st_size)
        if type(event) in DURABLE:
            self.synced_events, self.synced_bytes = len(self.events), self.ends[-1]

    def let_go(self) -> None:
        """The process is gone."""
        assert self.journal is not None
        self.journal.close()
        self.journal = None

    def cut(self, at: int, zeros: int = 0) -> None:
        """Only so many bytes reached the disk; then zeros, if any."""
        os.truncate(self.path, at)
        os.truncate(self.path, at + zeros)
        whole = sum(end - 1 <= at for end in self.ends)
        self.torn = at + zeros - min(at, self.ends[whole - 1])
        del self.events[whole:], self.ends[whole:]

    def where_zeros_can_begin(self) -> list[int]:
        """Behind any unsynced line, and at any sector: a disk writes those as a whole."""
        first = self.synced_bytes
        size = self.ends[-1]
        sectors = range(-(-first // SECTOR) * SECTOR, size, SECTOR)
        return [end for end in self.ends if end >= first] + list(sectors)

    def flip(self, byte: int, bit: int) -> None:
        """Another bit there; what was written of a line is not to be had any more."""
        with self.path.open("r+b") as file:
            old = os.pread(file.fileno(), 1, byte)[0]
            os.pwrite(file.fileno(), bytes((old ^ 1 << bit,)), byte)
        self.flipped = 1 + sum(end <= byte for end in self.ends)
        self.must_be_refused = byte < self.synced_bytes

    def is_taken_by(self, journal: Journal) -> None:
        """It is held again, and what is in it is on disk."""
        self.journal, self.torn = journal, 0
        self.ends[-1] = self.path.stat().st_size
        self.synced_events, self.synced_bytes = len(self.events), self.ends[-1]

    def was_resumed(self, recorded: list[Event]) -> None:
        """An attempt has ended that recorded these."""
        if recorded:
            assert isinstance(recorded[0], RunStarted)
            assert recorded[0].dropped == self.torn
            self.torn = 0
        self._read_again(len(self.events) + len(recorded))

    def was_repaired(self, kept: int) -> None:
        """It was cut off behind so many lines."""
        assert kept >= min(self.synced_events, (self.flipped or 1) - 1)
        self.flipped, self.must_be_refused, self.torn = None, False, 0
        del self.events[kept:]
        self._read_again(kept + 1)

    def _read_again(self, expected: int) -> None:
        fd = os.open(self.path, os.O_RDONLY)
        with RunView(fd, self.path) as view:
            found = list(view.events())
            lines = [len(line) + 1 for line, _ in view.lines()]
        assert found[: len(self.events)] == self.events
        assert len(found) == expected
        self.events = found
        self.ends = [sum(lines[: n + 1]) for n in range(len(lines))]
        self.synced_events, self.synced_bytes = len(found), self.ends[-1]
        names = {event.name for event in found if isinstance(event, StepCompleted)}
        known = {name: self.results.get(name, Json("null")) for name in names}
        self.results = known

    def check_results(self, results: dict[str, Json]) -> None:
        """These are the results of the steps that were acknowledged."""
        assert {name: results[name] for name in results} == self.results

    def check_handed_back(self, name: str, got: object) -> None:
        """A job got this from a step: its acknowledged result, or what it has just made."""
        assert got == json.loads(self.results.get(name, "null"))


def _as_written(path: Path, event: StepCompleted) -> Json:
    """The result as it stands in the line that was appended last."""
    line = path.read_bytes().splitlines()[-1]
    written = json.loads(line)
    assert written["name"] == event.name
    return Json(json.dumps(written["result"], separators=(",", ":")))


Fits = Callable[[Run], bool]


def is_held(run: Run) -> bool:
    return run.is_held


def is_free(run: Run) -> bool:
    return not run.is_held


def has_a_step_left(run: Run) -> bool:
    return run.is_held and len(run.results) < len(NAMES)


def can_be_taken_over(run: Run) -> bool:
    return not run.is_held and not run.is_final


def can_be_flipped(run: Run) -> bool:
    return not run.is_held and run.is_whole


def is_flipped(run: Run) -> bool:
    return not run.is_held and not run.is_whole


def is_there(run: Run) -> bool:
    return True


def next_step(run: Run) -> str:
    """A step that has no result yet."""
    return next(name for name in NAMES if name not in run.results)


class Silent:
    """A job with this work, and the observer of its execution."""

    def __init__(self, work: BoundHandler) -> None:
        self._work = work
        self.recorded_events: list[Event] = []

    def settle(self, given: Json) -> Json:
        return given

    def work(self, input: Json) -> BoundHandler:
        return self._work

    def refuse(self, name: str) -> Silent:
        raise AssertionError(f"{name} was about to be executed on a damaged journal")

    def recorded(self, event: Event) -> None:
        self.recorded_events.append(event)

    def replayed(self, name: str) -> None:
        pass

    def owns(self, run: LiveRun) -> None:
        pass

    def waits_for_run(self, view: RunView) -> None:
        pass

    def waits_for_key(self, run_id: str, key: str) -> None:
        pass
