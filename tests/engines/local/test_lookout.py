"""The lookout: what it remembers only passes a run over, and only while nothing has changed."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durably_cli.engines.local import lookout as module
from durably_cli.engines.local import stamps
from durably_cli.engines.local.lookout import Lookout
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import marker_of
from durably_cli.journal import ownership
from durably_cli.journal.events import FORMAT, RunCompleted, RunCreated, RunStarted
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.wait_events import RunSuspended, StepWaiting
from durably_cli.journal.writer import Journal
from durably_cli.steps.mail import Sent
from durably_cli.system import clock, folders, ids
from durably_cli.values.strict_json import Json

AT, LATER = "2026-11-23T03:00:00.123Z", "9990-01-01T00:00:00.000Z"
STARTED = RunStarted(1, 1, "host", AT)


def sleeps(until: str) -> list[Event]:
    return [STARTED, StepWaiting("nap", "sleep", AT, until), RunSuspended(AT, until)]


ASKS = [STARTED, StepWaiting("ok", "signal", AT), RunSuspended(AT)]
ENDS = [STARTED, RunCompleted(Json("1"), AT)]
DIES = [STARTED]


class Bench:
    """A store whose runs are made, taken up and sent signals, as processes do it."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "store")
        self.runs: list[str] = []
        self.held: dict[str, Journal] = {}

    def make(self, events: list[Event]) -> str:
        """A run with these events that nobody holds."""
        created = RunCreated(FORMAT, ids.new(), "work", Json("{}"), AT)
        journal = self.store.create(created)
        assert journal is not None
        with journal:
            for event in events:
                journal.append(event)
        self.runs.append(created.run)
        return created.run

    def take_up(self, run_id: str) -> Journal:
        """The run's journal, held."""
        path = self.store.path_of(run_id)
        lock = ownership.hold(path)
        reading = JournalReader(lock.fd, path, run_id)
        list(reading)
        return ownership.take_over(lock, reading, path, self.store.temporary)[0]

    def send(self, run_id: str, name: str = "ok") -> None:
        """A signal to the run."""
        sent = SignalsSent(self.store.path_of(run_id))
        sent.send(name, Sent(Json("1"), "ann", AT), self.store.temporary)

    def found(self) -> list[str]:
        """The runs that a process finds which has just started, and leaves what it remembers."""
        lookout = Lookout(self.store)
        found = [each.run_id for each in lookout.look()]
        lookout.remember()
        return found

    def close(self) -> None:
        for journal in self.held.values():
            journal.close()


def settle() -> None:
    """Let time pass, until what has changed just now is believed."""
    time.sleep(0.03)


@pytest.fixture(scope="module", autouse=True)
def short_ticks() -> Iterator[None]:
    with patch.object(stamps, "SETTLED_NS", 20_000_000):
        yield


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(tmp_path / "cache"))
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def waiting(bench: Bench) -> Bench:
    """A run that sleeps, one that waits for a signal, and one that has ended; all remembered."""
    for events in (sleeps(LATER), ASKS, ENDS):
        bench.make(events)
    remembered(bench)
    return bench


def remembered(bench: Bench) -> None:
    """Two looks: the first of an index, the second of what has not changed since."""
    settle()
    assert bench.found() == bench.found() == []
    with patch.object(Store, "look", side_effect=AssertionError("looked at")):
        assert bench.found() == []


def test_a_run_that_is_not_due_is_not_looked_at_again(waiting: Bench) -> None:
    lookout = Lookout(waiting.store)
    with patch.object(Store, "look", side_effect=AssertionError("looked at")):
        assert lookout.look() == []
    assert lookout.next_due == LATER


def test_its_time_is_seen_wherever_the_clock_was_moved(waiting: Bench) -> None:
    with patch.object(clock, "now", lambda: "9991-01-01T00:00:00.000Z"):
        assert waiting.found() == waiting.runs[:1]
    with patch.object(clock, "now", lambda: "1991-01-01T00:00:00.000Z"):
        assert waiting.found() == []


def test_a_signal_is_seen_be_it_the_first_or_not(bench: Bench) -> None:
    run = bench.make(ASKS)
    remembered(bench)
    bench.send(run, "another")
    remembered(bench)
    bench.send(run)
    assert bench.found() == [run]


def test_a_changed_journal_is_seen(waiting: Bench) -> None:
    sleeping, asking, _ = waiting.runs
    with waiting.take_up(sleeping) as journal:
        journal.append(STARTED)
        assert waiting.found() == [], "a process holds it"
    assert waiting.found() == [sleeping], "it has died"
    with waiting.take_up(sleeping) as journal:
        journal.append(RunCompleted(Json("1"), AT))
    assert waiting.found() == []
    path = waiting.store.path_of(asking)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert waiting.found() == [asking], "in place, too"


def test_one_that_a_process_held_is_seen_once_that_has_died_in_silence(bench: Bench) -> None:
    run = bench.make(sleeps(LATER))
    with bench.take_up(run) as journal:
        journal.append(STARTED)
        settle()
        assert bench.found() == bench.found() == []
    assert bench.found() == [run]


def test_no_journal_that_a_process_holds_is_read(bench: Bench) -> None:
    run = bench.make(DIES)
    with bench.take_up(run):
        for _ in range(3):
            with patch.object(Store, "look", side_effect=AssertionError("looked at")):
                assert bench.found() == []
            settle()


def test_what_was_to_go_on_first_is_found_first(bench: Bench) -> None:
    for events in (DIES, ENDS, sleeps(AT), DIES, sleeps(AT.replace("20", "19", 1))):
        bench.make(events)
    died, _, due, also_died, long_due = bench.runs
    assert bench.found() == [long_due, due, died, also_died]


def test_one_that_is_imported_is_left_until_it_is_adopted(bench: Bench) -> None:
    run = bench.make(DIES)
    marker_of(bench.store.path_of(run)).touch()
    settle()
    assert bench.found() == bench.found() == []
    marker_of(bench.store.path_of(run)).unlink()
    assert bench.found() == [run]


def test_after_a_boot_and_an_upgrade_nothing_is_believed(waiting: Bench) -> None:
    for name, value in (("boot", lambda: "another"), ("__version__", "9.9")):
        seen = []
        look = Store.look

        def noting(
            store: Store, run_id: str, look: object = look, seen: list[str] = seen
        ) -> object:
            seen.append(run_id)
            return look(store, run_id)  # type: ignore[operator]

        with patch.object(module, name, value), patch.object(Store, "look", noting):
            assert Lookout(waiting.store).look() == []
        assert set(seen) >= set(waiting.runs[:2]), name


def junk(path: Path) -> None:
    path.write_bytes(random.randbytes(50))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def other(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace('"runs":{', '"runs":{"x":[1],'))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [junk, cut, other, folder, os.unlink])
def test_what_is_no_such_file_is_as_good_as_none(
    waiting: Bench, harm: Callable[[Path], object]
) -> None:
    (path,) = folders.cache_folder().glob("*.tick")
    harm(path)
    assert waiting.found() == []
    died = waiting.make(DIES)
    assert waiting.found() == [died]


def test_a_cache_that_cannot_be_written_is_done_without(bench: Bench) -> None:
    folders.cache_folder().write_text("no folder")
    run = bench.make(DIES)
    assert bench.found() == bench.found() == [run]


ACTS = ("die", "sleep", "ask", "end", "take", "let go", "send", "wake", "time", "remove")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99)), max_size=30))
@pytest.mark.long
def test_it_finds_what_one_finds_that_remembers_nothing(story: list[tuple[str, int]]) -> None:
    with (
        tempfile.TemporaryDirectory() as at,
        patch.dict(os.environ, {"DURABLY_CACHE_DIR": f"{at}/cache"}),
    ):
        bench = Bench(Path(at))
        try:
            for act, number in story:
                perform(bench, act, number)
                found = bench.found()
                (Path(at) / "none").touch()
                with patch.dict(os.environ, {"DURABLY_CACHE_DIR": f"{at}/none"}):
                    assert found == bench.found(), act
        finally:
            bench.close()


def perform(bench: Bench, act: str, number: int) -> None:
    """One thing that happens to a store."""
    made = {"die": DIES, "sleep": sleeps(LATER), "ask": ASKS, "end": ENDS}
    free = [run for run in bench.runs if run not in bench.held]
    one = free[number % len(free)] if free else None
    if act in made:
        bench.make(made[act])
    elif act == "time":
        settle()
    elif act == "let go" and bench.held:
        bench.held.popitem()[1].close()
    elif one is None:
        return
    elif act == "send":
        bench.send(one, random.choice(("ok", "other")))
    elif act == "remove":
        bench.store.path_of(one).unlink()
        bench.runs.remove(one)
    elif act == "take":
        bench.held[one] = bench.take_up(one)
        bench.held[one].append(STARTED)
    elif act == "wake":
        with bench.take_up(one) as journal:
            for event in random.choice((sleeps(LATER), sleeps(AT), ASKS, ENDS)):
                journal.append(event)
