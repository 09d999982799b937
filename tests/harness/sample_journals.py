"""Journals that hold every type of event between them, and what a reader makes of their bytes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from durably_cli.errors import JournalDamaged
from durably_cli.journal import codec
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    InputStored,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunForked,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
)
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import in_scope, item_of
from durably_cli.journal.wait_events import RunSuspended, SignalReceived, StepWaiting
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN, lines_of

AT = "2026-11-24T03:52:01.251Z"
BLOB = Json(f'{{"$blob":"{RUN}.blobs/{32 * "b7"}","bytes":70000,"preview":"[0, 1"}}')
ERROR = ErrorInfo("ValueError", "no", "Traceback")


class Sample:
    """A good journal.

    `lines` have their newlines, `starts` and `ends` are the first byte of each and the one behind
    it, `line_of` says for each byte in which line it is, counted from 1.
    """

    def __init__(self, name: str, events: list[Event]) -> None:
        self.name, self.events = name, events
        self.lines = lines_of(events)
        self.data = b"".join(self.lines)
        self.ends = list(itertools.accumulate(map(len, self.lines)))
        self.starts = [0, *self.ends[:-1]]
        self.line_of = [number for number, line in enumerate(self.lines, 1) for _ in line]


def created(**more: object) -> RunCreated:
    """Line 0, of the job `work`."""
    event = RunCreated(FORMAT, RUN, "work", Json('{"crc":"00000000"}'), AT)
    return event._replace(**more)


COMPLETED = Sample(
    "completed",
    [
        created(labels={"a": "b"}),
        RunStarted(1, 42, "host", AT),
        StepStarted("one", AT),
        StepCompleted("one", 3, Json('{"a":[1,2.5,null],"crc":"deadbeef"}'), AT),
        LogWritten("info", "hello \N{SNOWMAN}", AT, data={"n": 1}),
        StepStarted("two", AT),
        StepFailed("two", 1, ERROR, AT),
        RunHasFailed(ERROR, AT, "two"),
        RunStarted(2, 43, "host", AT),
        ProgressReported(1, AT, 2.0, "half"),
        RunInterrupted("SIGTERM", AT),
        RunStarted(3, 44, "host", AT),
        RunCompleted(Json('"done"'), AT),
    ],
)

CANCELLED = Sample(
    "cancelled",
    [
        created(idempotency_key="k"),
        InputStored(AT),
        StepCompleted("large", 9, BLOB, AT),
        StepDiscarded("two", "me", AT),
        StepDiscarded("large", "me", AT, "5f", 9),
        StepMarkedDone("large", "me", BLOB, AT),
        RunCompletedLarge(BLOB, AT),
        RunRepaired("me", "host", 3, 464, "why", 2, 200, f"{RUN}.damaged-1", AT),
        RunCancelled(AT, "not needed"),
    ],
)

UNFINISHED = Sample(
    "unfinished",
    [
        created(concurrency_key="c"),
        StepCompleted("one", 3, Json("1"), AT),
        StepStarted("zero", AT, [], "jobs/a.py:f:12345678"),
        StepOutdated("one", "zero", AT, 3),
        RunForked(RUN, "me", AT),
        RunStarted(1, 42, "host", AT, dropped=7, kept=f"{RUN}.torn-1"),
        ProgressReported(1, AT, 2.0, "half"),
        StepStarted("two", AT),
        StepRetrying("two", 1, 3, 4, ERROR, AT, AT),
        StepStarted("two", AT),
        StepEntered("two", "stop", AT),
        StepStarted("three", AT),
        StepCancelled("three", 2, AT),
        StepWaiting("four", "signal", AT),
        SignalReceived("four", Json("1"), "me", AT, AT),
        RunSuspended(AT, left=["four"]),
        MapStarted("pages", AT),
        StepStarted(item_of("pages", "a.html"), AT),
        StepCompleted(item_of("pages", "a.html"), 1, Json("1"), AT),
        StepFailed(in_scope(item_of(in_scope("users", "each"), "ann"), "mail"), 1, ERROR, AT),
    ],
)

SAMPLES = (COMPLETED, CANCELLED, UNFINISHED)


class Verdict(NamedTuple):
    """What a reader makes of a journal's bytes: how many lines it keeps and then what.

    `damaged_at` is the line (from 1) and the byte where it refuses, `torn` the bytes that it
    drops as torn.
    """

    kept: int
    damaged_at: tuple[int, int] | None = None
    torn: int = 0


class Bench:
    """A real file whose bytes are changed here and there, and read after each change."""

    def __init__(self, path: Path, good: bytes, events: list[Event]) -> None:
        self._path, self._good, self._events = path, good, events
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.pwrite(self._fd, good, 0)

    @contextmanager
    def byte(self, at: int, value: int) -> Iterator[None]:
        """Another byte stands there for a while."""
        os.pwrite(self._fd, bytes((value,)), at)
        try:
            yield
        finally:
            os.pwrite(self._fd, self._good[at : at + 1], at)

    def verdict_on(self, data: bytes) -> Verdict:
        """The verdict on these bytes."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, data, 0)
        return self.verdict()

    def verdict(self) -> Verdict:
        """The verdict on the bytes as they are.

        AssertionError if an event is kept that is not the one that was written there.
        """
        reading, kept = JournalReader(self._fd, self._path, RUN), 0
        try:
            for event in reading:
                assert event == self._events[kept], f"line {kept + 1} is read as {event}"
                kept += 1
        except JournalDamaged as damage:
            assert damage.reason
            return Verdict(kept, (damage.line, damage.byte))
        return Verdict(kept, torn=reading.torn.size if reading.torn else 0)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def bench_for(folder: Path, sample: Sample) -> Bench:
    """A file in this folder that holds the sample."""
    return Bench(folder / f"{RUN}.jsonl", sample.data, sample.events)


def damage_at(sample: Sample, line: int) -> Verdict:
    """All before this line is kept, and it is refused at its first byte."""
    return Verdict(line - 1, (line, sample.starts[line - 1]))


def resealed(
    lines: list[bytes], number: int, change: Callable[[bytes], bytes], run: str = RUN
) -> list[bytes]:
    """The lines with the body of line `number` (from 1) changed, and every checksum right again.

    A body is what the checksum is over: the line up to `,"crc":`.
    """
    done, crc = [], codec.seed(run)
    for count, line in enumerate(lines, 1):
        body = line[: -codec.CRC_BYTES - 1]
        if count == number:
            body = change(body)
        crc = crc32(body, crc)
        done.append(body + b',"crc":"%08x"}\n' % crc)
    return done
