"""Many threads that append to one journal: they share syncs, and a sync that fails stops all."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durably_cli.errors import JournalDamaged, JournalLost, RunEnded
from durably_cli.journal import ownership
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    LogWritten,
    RunCompleted,
    RunCreated,
)
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.journal.tail import SECTOR
from durably_cli.journal.writer import Journal
from durably_cli.system import files
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN

AT = "2026-11-23T03:00:00.123Z"
CREATED = RunCreated(FORMAT, RUN, "job", Json("{}"), AT)
THREADS, EACH = 16, 40


def new(tmp_path: Path) -> Journal:
    path = tmp_path / "runs" / f"{RUN}.jsonl"
    files.make_folder(path.parent)
    made = ownership.create_journal(path, tmp_path / "tmp", CREATED)
    assert made is not None
    return made


def result(name: str) -> StepCompleted:
    return StepCompleted(name, 0, Json("1"), AT)


LARGE = 100_000 * "x"


@pytest.mark.parametrize(
    "event",
    [
        StepCompleted("large", 0, Json(f'"{LARGE}"'), AT),
        LogWritten("info", LARGE, AT),
        RunCompleted(Json(f'"{LARGE}"'), AT),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_large_value_that_cannot_be_saved_closes_the_journal(
    tmp_path: Path, event: Event
) -> None:
    with new(tmp_path) as journal:
        before = journal.path.read_bytes()
        journal.path.with_suffix(".blobs").write_text("no folder")
        with pytest.raises(JournalLost, match="was not saved"):
            journal.append(event)
        journal.path.with_suffix(".blobs").unlink()
        with pytest.raises(JournalLost):
            journal.append(result("behind"))
        assert journal.path.read_bytes() == before
        assert not os.listdir(tmp_path / "tmp")


def names_in(journal: Journal) -> set[str]:
    fd = os.open(journal.path, os.O_RDONLY)
    try:
        events = list(JournalReader(fd, journal.path, RUN))
    finally:
        os.close(fd)
    return {event.name for event in events if isinstance(event, StepCompleted)}


def in_threads(act: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=act, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def append_until_lost(journal: Journal) -> tuple[set[str], int]:
    """The names that were acknowledged, and in how many threads all were, or the journal was lost.

    It was lost in one of them at least.
    """
    acknowledged, lost, finished = set[str](), list[JournalLost](), list[int]()

    def append(thread: int) -> None:
        try:
            for number in range(EACH):
                journal.append(result(f"{thread}-{number}"))
                acknowledged.add(f"{thread}-{number}")
            finished.append(thread)
        except JournalLost as error:
            lost.append(error)

    in_threads(append)
    assert lost
    return acknowledged, len(lost) + len(finished)


def test_all_who_write_while_a_sync_runs_share_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, syncs = new(tmp_path), files.sync, list[int]()
    syncing, go_on = threading.Event(), threading.Event()

    def first_one_stuck(fd: int) -> None:
        syncs.append(os.fstat(fd).st_size)
        syncing.set()
        assert go_on.wait(60)
        real(fd)

    monkeypatch.setattr(files, "sync", first_one_stuck)
    returned = list[str]()

    def append(name: str) -> None:
        journal.append(result(name))
        returned.append(name)

    with journal:
        threads = [threading.Thread(target=append, args=(f"step {n}",)) for n in range(THREADS)]
        threads[0].start()
        assert syncing.wait(60)
        for thread in threads[1:]:
            thread.start()
        while len(names_in(journal)) < THREADS or journal.mark.end < journal.path.stat().st_size:
            time.sleep(0.001)
        assert not returned
        go_on.set()
        for thread in threads:
            thread.join()
        assert len(returned) == THREADS
        assert len(syncs) == 2
        assert syncs[1] == journal.path.stat().st_size


def test_nobody_goes_on_before_a_sync_that_began_after_its_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real = new(tmp_path), files.sync
    synced = os.stat(journal.path).st_size

    def slow(fd: int) -> None:
        nonlocal synced
        size = os.fstat(fd).st_size
        time.sleep(0.001)
        real(fd)
        synced = size

    monkeypatch.setattr(files, "sync", slow)
    early: list[str] = []

    def append(thread: int) -> None:
        for number in range(EACH):
            name = f"{thread}-{number}"
            journal.append(result(name))
            if name.encode() not in journal.path.read_bytes()[:synced]:
                early.append(name)

    with journal:
        in_threads(append)
        assert not early
        assert len(names_in(journal)) == THREADS * EACH


def test_a_sync_that_fails_stops_all_threads_and_what_was_acknowledged_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, syncs = new(tmp_path), files.sync, 0

    def failing(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        time.sleep(0.001)
        if syncs > 5:
            raise OSError(errno.EIO, "I/O error")
        real(fd)

    monkeypatch.setattr(files, "sync", failing)
    with journal:
        acknowledged, ended = append_until_lost(journal)
        assert acknowledged == names_in(journal)
    assert ended == THREADS
    assert syncs == 6, "a sync was asked for again after one that failed"


def test_a_write_that_fails_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, writes = new(tmp_path), files.write_all, 0

    def failing(fd: int, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == 100:
            real(fd, data[:10])
            raise OSError(errno.ENOSPC, "no space left on device")
        real(fd, data)

    monkeypatch.setattr(files, "write_all", failing)
    with journal:
        acknowledged, ended = append_until_lost(journal)
        assert acknowledged <= names_in(journal)
    assert ended == THREADS


@pytest.mark.parametrize("failing", ["write_all", "sync"])
@pytest.mark.parametrize("output", ["1", f'"{LARGE}"'], ids=["small", "large"])
def test_an_output_that_is_lost_is_said_to_be_whatever_its_size_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, output: str
) -> None:
    journal, real = new(tmp_path), getattr(files, failing)
    inode = journal.path.stat().st_ino

    def fails(fd: int, *data: bytes) -> None:
        if os.fstat(fd).st_ino == inode:
            raise OSError(errno.EIO, "I/O error")
        real(fd, *data)

    monkeypatch.setattr(files, failing, fails)
    with journal, pytest.raises(JournalLost, match="; the run's output was not saved"):
        journal.end_with(RunCompleted(Json(output), AT))


def test_a_log_line_does_not_wait_for_the_sync_of_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, syncing, go_on = new(tmp_path), threading.Event(), threading.Event()

    def stuck(fd: int) -> None:
        syncing.set()
        assert go_on.wait(60)

    monkeypatch.setattr(files, "sync", stuck)
    with journal:
        thread = threading.Thread(target=journal.append, args=(result("slow"),))
        thread.start()
        assert syncing.wait(60)
        journal.append(LogWritten("info", "meanwhile", AT))
        assert b"meanwhile" in journal.path.read_bytes()
        go_on.set()
        thread.join()


def test_nothing_comes_behind_the_end(tmp_path: Path) -> None:
    with new(tmp_path) as journal:
        journal.end_with(RunCompleted(Json("1"), AT))
        size = journal.path.stat().st_size
        with pytest.raises(RunEnded, match="had ended"):
            journal.append(result("late"))
        with pytest.raises(RunEnded):
            journal.write(LogWritten("info", "late", AT))
        assert journal.path.stat().st_size == size


def test_write_and_sync_are_two_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, real, syncs = new(tmp_path), files.sync, list[int]()
    monkeypatch.setattr(files, "sync", lambda fd: (syncs.append(fd), real(fd)))
    with journal:
        places = [journal.write(result(str(number))) for number in range(10)]
        assert not syncs
        journal.sync(places[-1])
        for place in places:  # they were served by the same sync
            journal.sync(place)
        assert len(syncs) == 1
        assert len(names_in(journal)) == 10


def test_a_start_beside_the_first_one_behind_a_failure_waits_for_that_sync(tmp_path: Path) -> None:
    with new(tmp_path) as journal:
        journal.append(StepFailed("a", 1, ErrorInfo("E", "", ""), AT))
        first = journal.write(StepStarted("b", AT))
        assert journal.write(StepStarted("c", AT)) > first > 0
        journal.sync(first)
        assert not journal.write(StepStarted("d", AT))


def test_the_first_start_behind_a_failure_is_synced_and_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, syncs = new(tmp_path), files.sync, list[int]()
    monkeypatch.setattr(files, "sync", lambda fd: (syncs.append(fd), real(fd)))
    asked = list[int]()
    with journal:
        for event in (
            StepStarted("primary", AT),
            StepFailed("primary", 0, ErrorInfo("ValueError", "no"), AT),
            StepStarted("fallback", AT),
            StepStarted("later", AT),
        ):
            journal.append(event)
            asked.append(len(syncs))
    assert asked == [0, 1, 2, 2]


def disks_after_a_power_cut(data: bytes, synced: int) -> Iterator[tuple[bytes, int]]:
    """All that a disk may have of this journal, and the first byte that is lost.

    What is synced is there; of what was written since some sectors are.
    """
    sectors = range(synced // SECTOR, (len(data) - 1) // SECTOR + 1)
    for pattern in range(1, 1 << len(sectors)):
        left = bytearray(data)
        lost = [sector for bit, sector in enumerate(sectors) if pattern >> bit & 1]
        for sector in lost:
            start, stop = max(synced, sector * SECTOR), min(len(data), (sector + 1) * SECTOR)
            left[start:stop] = bytes(stop - start)
        yield bytes(left), max(synced, lost[0] * SECTOR)


def read(data: bytes, path: Path) -> JournalReader:
    """A reader that has read all that is good in a journal of these bytes."""
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        reader = JournalReader(fd, path, RUN)
        for _ in reader:
            pass
        return reader
    finally:
        os.close(fd)


@pytest.mark.parametrize("steps_at_once", [1, 2, 7])
def test_a_power_cut_before_a_shared_sync_is_no_damage_and_takes_what_was_not_synced_alone(
    tmp_path: Path, steps_at_once: int
) -> None:
    with new(tmp_path) as journal:
        for number in range(7):
            journal.append(StepStarted(f"before {number}", AT, code="f" * 50 * number))
            journal.append(result(f"before {number}"))
            synced = journal.mark.end
            at_once = [f"step {number} {n}" + 60 * number * "-" for n in range(steps_at_once)]
            for name in at_once:
                journal.write(StepStarted(name, AT))
            places = [journal.write(result(name)) for name in at_once]
            whole = journal.path.read_bytes()
            for left, lost in disks_after_a_power_cut(whole, synced):
                reader = read(left, tmp_path / "left")
                assert synced <= reader.end <= max(lost, synced)
                assert reader.torn
                assert reader.end + reader.torn.size == len(whole)
            journal.sync(places[-1])


def test_a_sector_that_was_synced_and_is_lost_is_damage_behind_steps_at_once_too(
    tmp_path: Path,
) -> None:
    with new(tmp_path) as journal:
        for number in range(4):
            places = [journal.write(result(f"step {number} {n}")) for n in range(8)]
            journal.sync(places[-1])
        synced = journal.mark.end
        journal.write(StepStarted("behind", AT, code="f" * 600))
        journal.write(result("behind"))
        whole = journal.path.read_bytes()
    assert b'"synced_to":%d,' % synced in whole
    for sector in range(1, synced // SECTOR):
        left = bytearray(whole)
        left[sector * SECTOR : (sector + 1) * SECTOR] = bytes(SECTOR)
        with pytest.raises(JournalDamaged):
            read(bytes(left), tmp_path / "left")
