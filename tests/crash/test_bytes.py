"""Every cut and every flipped bit of a journal: what was acknowledged is kept, or it is refused."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from durably_cli.errors import JournalDamaged
from durably_cli.events import (
    FORMAT,
    ErrorInfo,
    Event,
    Json,
    LogWritten,
    ProgressReported,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunInterrupted,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from durably_cli.reader import Reading
from tests.strategies import RUN, lines_of

AT = "2026-11-24T03:52:01.251Z"

EVENTS: list[Event] = [
    RunCreated(FORMAT, RUN, "sync", Json('{"crc":"00000000"}'), AT, labels={"a": "b"}),
    RunStarted(1, 42, "host", AT),
    StepStarted("one", AT),
    StepCompleted("one", 3, Json('{"a":[1,2.5,null],"crc":"deadbeef"}'), AT),
    LogWritten("info", "hello \N{SNOWMAN}", AT, data={"n": 1}),
    StepStarted("two", AT),
    StepFailed("two", 1, ErrorInfo("ValueError", "no", "Traceback"), AT),
    RunFailed(ErrorInfo("ValueError", "no", "Traceback"), AT, "two"),
    RunStarted(2, 43, "host", AT),
    ProgressReported(1, AT, 2.0, "half"),
    RunInterrupted("SIGTERM", AT),
    RunStarted(3, 44, "host", AT),
    RunCompleted(Json('"done"'), AT),
]


LINES = lines_of(EVENTS)


def read(path: Path, data: bytes) -> tuple[list[Event], Reading]:
    """What a reader makes of these bytes."""
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        reading = Reading(fd, path, RUN)
        return list(reading), reading
    finally:
        os.close(fd)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"{RUN}.jsonl"


def test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn(path: Path) -> None:
    data = b"".join(LINES)
    ends = list(itertools.accumulate(map(len, LINES)))
    cuts = 0
    for cut in range(len(data)):
        whole = sum(end - 1 <= cut for end in ends)  # the newline may be lacking
        if whole == 0:
            with pytest.raises(JournalDamaged):
                read(path, data[:cut])
        else:
            events, reading = read(path, data[:cut])
            assert events == EVENTS[:whole]
            left = cut - reading.end
            assert (reading.torn.size if reading.torn else 0) == left
            assert left == max(0, cut - ends[whole - 1])
        cuts += 1
    assert cuts == len(data)


def test_every_flipped_bit_is_damage_at_its_line(path: Path) -> None:
    data = bytearray(b"".join(LINES))
    line_of = [number for number, line in enumerate(LINES, 1) for _ in line]
    for byte, line in enumerate(line_of):
        for bit in range(8):
            data[byte] ^= 1 << bit
            with pytest.raises(JournalDamaged) as caught:
                read(path, bytes(data))
            assert caught.value.line == line
            assert caught.value.byte == sum(map(len, LINES[: line - 1]))
            data[byte] ^= 1 << bit


@pytest.mark.parametrize("value", [0x00, 0x0A, 0x22, 0x30, 0xFF])
def test_every_byte_set_to_another_is_damage_or_loses_nothing(path: Path, value: int) -> None:
    data = bytearray(b"".join(LINES))
    for byte, old in enumerate(bytes(data)):
        data[byte] = value
        try:
            events, _ = read(path, bytes(data))
        except JournalDamaged:
            pass
        else:
            assert events == EVENTS
        data[byte] = old


def test_a_line_that_is_dropped_doubled_swapped_or_foreign_is_damage(path: Path) -> None:
    foreign = lines_of(EVENTS, RUN.replace("01a2", "01a3"))
    for n in range(len(LINES) - 1):
        for lines in (
            LINES[:n] + LINES[n + 1 :],
            LINES[:n] + [LINES[n]] + LINES[n:],
            LINES[:n] + [LINES[n + 1], LINES[n]] + LINES[n + 2 :],
            LINES[:n] + [foreign[n]] + LINES[n + 1 :],
        ):
            with pytest.raises(JournalDamaged):
                read(path, b"".join(lines))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"x",
        lambda data: data + b"\n",
        lambda data: data + b"{}\n",
        lambda data: data + b'{"seq":12,"type":"step.st\n',
        lambda data: b"",
        lambda data: b"\0" * len(data),
    ],
)
def test_bytes_that_no_crash_leaves_are_damage(path: Path, change: object) -> None:
    assert callable(change)
    with pytest.raises(JournalDamaged):
        read(path, change(b"".join(LINES)))


def tail_of(size: int) -> tuple[bytes, list[Event]]:
    """A durable beginning, and an unsynced tail of log lines of about this many bytes."""
    events = EVENTS[:4]
    while sum(map(len, lines_of(events))) < size:
        events = [*events, LogWritten("info", "x" * 90, AT)]
    return b"".join(lines_of(events)), events


def test_any_zeroed_sectors_of_the_unsynced_tail_are_a_torn_tail(path: Path) -> None:
    data, events = tail_of(4096)
    synced = sum(map(len, LINES[:4]))
    first = synced // 512 + 1
    sectors = range(first, len(data) // 512 + 1)
    for pattern in range(1, 1 << len(sectors)):
        broken = bytearray(data)
        for bit, sector in enumerate(sectors):
            if pattern >> bit & 1:
                stop = min(len(data), (sector + 1) * 512)
                broken[sector * 512 : stop] = bytes(stop - sector * 512)
        found, reading = read(path, bytes(broken))
        assert found == events[: len(found)]
        assert len(found) >= 4, "what was synced is kept"
        assert reading.torn is not None


def test_a_zeroed_sector_with_a_durable_event_behind_it_is_damage(path: Path) -> None:
    _, events = tail_of(2048)
    data = bytearray(b"".join(lines_of([*events, StepCompleted("two", 1, Json("1"), AT)])))
    data[1024:1536] = bytes(512)
    with pytest.raises(JournalDamaged):
        read(path, bytes(data))


def test_a_record_that_lacks_only_its_newline_is_kept_with_zeros_behind_it_too(path: Path) -> None:
    data = b"".join(LINES[:4])
    assert read(path, data[:-1])[0] == EVENTS[:4]
    padded = data[:-1] + bytes(1024)
    events, reading = read(path, padded)
    assert events == EVENTS[:4]
    assert reading.torn is not None
    assert reading.torn.size == 1024
