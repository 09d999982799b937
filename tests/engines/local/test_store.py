"""The store: views that are never torn between two files, and what a crash leaves in tmp."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import Checkpoint, JournalView
from durably_cli.engines.run_view import Unreadable
from durably_cli.errors import JournalError, NotFound
from durably_cli.journal import ownership, writer
from durably_cli.journal.events import (
    FORMAT,
    RunCompletedLarge,
    RunCreated,
    RunStarted,
)
from durably_cli.journal.fold import fold
from durably_cli.journal.reader import JournalReader, Position
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.system import ids, locks
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN, journals, lines_of

AT = "2026-11-23T03:00:00.123Z"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


def make(store: Store, run_id: str | None = None) -> writer.Journal:
    made = store.create(RunCreated(FORMAT, run_id or ids.new(), "job", Json("{}"), AT))
    assert made is not None
    return made


def test_a_run_is_pending_then_running_while_it_is_held_and_interrupted_when_not(
    store: Store,
) -> None:
    with make(store) as made:
        run = made.path.stem
        with store.view(run) as view:
            assert view.status is Status.PENDING
        made.append(RunStarted(1, 1, "host", AT))
        with store.view(run) as view:
            assert view.status is Status.RUNNING
    with store.view(run) as view:
        assert view.status is Status.INTERRUPTED


def test_runs_come_newest_first_over_days(store: Store) -> None:
    made = ["019ab000-0000-7000-8000-000000000000", ids.new(), ids.new()]
    for run in made:
        make(store, run).close()
    assert list(store.run_ids()) == made[::-1]
    assert store.path_of(made[0]).parent.name == ids.day(made[0]) == "2025-11-23"


@given(journals, st.data())
def test_a_view_that_begins_with_what_is_known_is_the_one_of_the_whole_journal(
    events: list[Event], data: st.DataObject
) -> None:
    assume(not any(isinstance(event, RunCompletedLarge) for event in events))  # none goes on
    lines = lines_of(events)
    known_lines = data.draw(st.integers(1, len(lines)))
    end, crc = sum(map(len, lines[:known_lines])), int(lines[known_lines - 1][-11:-3], 16)
    state = fold(events[:known_lines])
    bytes_ = b"".join(lines)
    mark, digest = Position(end, known_lines, crc), crc32(bytes_[:end])
    before, known = told(state), Checkpoint(state, mark, digest)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        path = store.path_of(RUN)
        path.parent.mkdir(parents=True)
        for found in (bytes_, *(damaged(bytes_, data) for _ in range(4))):
            path.write_bytes(found)
            assert seen(store, known) == seen(store, None)
            assert told(state) == before


def damaged(journal: bytes, data: st.DataObject) -> bytes:
    """Cut somewhere, a bit flipped in what is left, and something behind it, or some of these."""
    found = bytearray(journal[: data.draw(st.integers(0, len(journal)))])
    if found and data.draw(st.booleans()):
        found[data.draw(st.integers(0, len(found) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(found) + data.draw(st.sampled_from([b"", b"\0" * 600, b"{", journal]))


def seen(store: Store, known: Checkpoint | None) -> object:
    try:
        with store.view(RUN, known, despite_damage=True) as view:
            events = list(view.events())
            return told(view.state), view.status, view.torn_bytes, str(view.damage), events
    except JournalError as error:
        return str(error)


def told(state: RunState) -> dict[str, object]:
    attempts = [(each.started, each.last, each.ended, each.outcome) for each in state.attempts]
    return {**vars(state), "attempts": attempts, "unfinished": {**state.unfinished}}


def test_an_id_is_made_once(store: Store) -> None:
    with make(store) as made:
        again = store.create(RunCreated(FORMAT, made.path.stem, "job", Json("1"), AT))
        assert again is None


def test_a_reader_begins_again_if_the_run_is_taken_over_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(store)
    run, path = made.path.stem, made.path
    made.close()
    is_held = locks.is_held
    taken: list[writer.Journal] = []

    def and_then_it_is_taken_over(fd: int) -> bool:
        held = is_held(fd)
        if not taken:
            lock = ownership.hold(path)
            reading = JournalReader(lock.fd, path, run)
            list(reading)
            taken.append(ownership.take_over(lock, reading, path, store.temporary)[0])
        return held

    monkeypatch.setattr(locks, "is_held", and_then_it_is_taken_over)
    with store.view(run) as view:
        assert view.held
    taken[0].close()


def test_an_unreadable_run_hides_no_other(store: Store) -> None:
    one, two = make(store), make(store)
    one.path.write_bytes(b"broken\n")
    one.close(), two.close()
    found = list(store.views())
    assert [type(run) for run in found] == [JournalView, Unreadable]
    with pytest.raises(NotFound):
        store.view(ids.new())


def test_what_a_crash_left_is_swept_when_it_is_a_day_old_and_not_held(store: Store) -> None:
    make(store).close()
    old, held, young = (store.temporary / f"{name}.tmp" for name in ("old", "held", "young"))
    for path in (old, held, young):
        path.touch()
    yesterday = time.time() - 90_000
    os.utime(old, (yesterday, yesterday))
    os.utime(held, (yesterday, yesterday))
    lock = locks.acquire(os.open(held, os.O_RDWR))
    assert lock is not None
    child = os.fork()  # another process sweeps: to its own, a lock is always held
    if child == 0:
        make(store).close()
        os._exit(0)
    os.waitpid(child, 0)
    assert [path.exists() for path in (old, held, young)] == [False, True, True]
    lock.close()


def test_ids_sort_by_time_and_tell_their_day() -> None:
    made = [ids.new() for _ in range(200)]
    assert all(ids.is_id(run) for run in made)
    assert len(set(made)) == 200
    assert sorted(made, key=lambda run: run[:18]) == made
    assert abs(ids.made_at(made[0]).timestamp() - time.time()) < 60
    for text in ("", made[0].upper(), made[0] + "\n", made[0][:14] + "4" + made[0][15:], "../x"):
        assert not ids.is_id(text)
    assert ids.day("ffffffff-ffff-7fff-8fff-ffffffffffff") == "9999-12-31"
