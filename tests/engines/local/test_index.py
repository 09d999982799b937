"""The index: it leaves out what cannot fit, and is never believed over a journal."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durably_cli.engines.local import index, stamps
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.journal import ownership
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.state import Status
from durably_cli.journal.writer import Journal
from durably_cli.system import folders, ids
from durably_cli.values.strict_json import Json
from tests.conftest import Project

AT = "2026-11-23T03:00:00.123Z"
JOBS, TEAMS = ("one", "two"), ("a", "b")
STATUSES = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, Status.RUNNING)


class Bench:
    """A store whose runs are made, taken up, ended and removed, as processes do it."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "store")
        self.runs: list[str] = []
        self.held: dict[str, Journal] = {}

    def create(self, number: int) -> None:
        created = RunCreated(
            FORMAT,
            ids.new(),
            JOBS[number % 2],
            Json("null"),
            AT,
            labels={"team": TEAMS[number % 3 % 2]},
        )
        run = self.store.create(created)
        assert run is not None
        run.append(RunStarted(1, 1, "host", AT))
        self.held[created.run] = run
        self.runs.append(created.run)

    def end(self, number: int) -> None:
        run = self._one(number, list(self.held))
        if run:
            ended = (
                RunCompleted(Json("1"), AT) if number % 2 else RunHasFailed(ErrorInfo("E", "e"), AT)
            )
            held = self.held.pop(run)
            held.append(ended)
            held.close()

    def die(self, number: int) -> None:
        run = self._one(number, list(self.held))
        if run:
            self.held.pop(run).close()

    def resume(self, number: int) -> None:
        run = self._one(number, [run for run in self.runs if run not in self.held])
        if run:
            path = self.store.path_of(run)
            with self.store.view(run) as view:
                if view.state.is_final:
                    return
            lock = ownership.hold(path)
            reading = JournalReader(lock.fd, path, run)
            list(reading)
            self.held[run] = ownership.take_over(lock, reading, path, self.store.temporary)[0]
            self.held[run].append(RunStarted(2, 1, "host", AT))

    def remove(self, number: int) -> None:
        run = self._one(number, [run for run in self.runs if run not in self.held])
        if run:
            self.store.path_of(run).unlink()
            self.runs.remove(run)

    def time_passes(self, _: int) -> None:
        """So long that what is known of the folders is believed, if they do not change again."""
        time.sleep(0.03)

    def check(self) -> None:
        """Whatever is asked for, the answer is the one that the journals give."""
        views = []
        for view in self.store.views():
            assert isinstance(view, RunView)
            views.append((view.run_id, view.status, view.state.created))
        assert [run for run, _, _ in views] == sorted(self.runs, reverse=True)
        for status in STATUSES:
            fitting = [run for run, has, _ in views if has is status]
            assert kept_of(fitting, index.candidates(self.store, statuses=[status])) == fitting
        for job in JOBS:
            of_job = [run for run, _, created in views if created.job == job]
            assert kept_of(of_job, index.candidates(self.store, jobs=[job])) == of_job
            for team in TEAMS:
                both = [run for run, _, c in views if c.job == job and c.labels["team"] == team]
                found = index.candidates(self.store, jobs=[job], labels={"team": team})
                assert kept_of(both, found) == both

    def close(self) -> None:
        for run in self.held.values():
            run.close()

    def _one(self, number: int, runs: list[str]) -> str | None:
        return runs[number % len(runs)] if runs else None


def kept_of(fitting: list[str], found: Iterator[str]) -> list[str]:
    """Of what was found, which must be in order, what fits."""
    run_ids = list(found)
    assert run_ids == sorted(run_ids, reverse=True)
    return [run for run in run_ids if run in fitting]


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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["create", "create", "end", "die", "resume", "remove", "time_passes"]),
            st.integers(0, 99),
        ),
        max_size=30,
    )
)
@pytest.mark.long
def test_its_answer_is_that_of_the_journals_whatever_happens_to_runs(
    story: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = {"DURABLY_CACHE_DIR": str(Path(folder) / "cache")}
        with patch.dict(os.environ, cache):
            bench = Bench(Path(folder))
            try:
                for act, number in story:
                    getattr(bench, act)(number)
                    bench.check()
            finally:
                bench.close()


def test_of_a_day_that_has_not_changed_ended_runs_are_left_out_unseen(bench: Bench) -> None:
    for number in range(8):
        bench.create(number)
        bench.end(number)
    bench.create(8)
    bench.die(0)
    bench.time_passes(0)
    interrupted = bench.runs[-1]
    assert len(list(index.candidates(bench.store, statuses=[Status.FAILED]))) == 5
    with patch.object(Store, "look", side_effect=AssertionError("looked at")):
        assert list(index.candidates(bench.store, jobs=["none"])) == [interrupted]
        assert len(list(index.candidates(bench.store, statuses=[Status.FAILED]))) == 5


def test_of_a_day_that_has_changed_what_had_ended_is_not_looked_at_again(bench: Bench) -> None:
    for number in range(6):
        bench.create(number)
        bench.end(1)
    list(index.candidates(bench.store, jobs=["one"]))
    bench.create(0)
    bench.die(0)
    looked_at = []
    real = Store.look

    def look(store: Store, run_id: str) -> object:
        looked_at.append(run_id)
        return real(store, run_id)

    with patch.object(Store, "look", look):
        list(index.candidates(bench.store, jobs=["one"]))
    assert looked_at == bench.runs[-1:]


def test_runs_that_have_ended_since_do_not_have_to_be_looked_at_for_ever(bench: Bench) -> None:
    for number in range(40):
        bench.create(number)
    bench.time_passes(0)
    assert len(list(index.candidates(bench.store, statuses=[Status.FAILED]))) == 40
    for _ in range(40):
        bench.end(1)
    assert list(index.candidates(bench.store, statuses=[Status.FAILED])) == []


def junk(path: Path) -> None:
    path.write_bytes(random.randbytes(50))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def other(path: Path) -> None:
    path.write_text('{"folder": 1, "x": [2]}')


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [junk, cut, zeros, other, folder, os.unlink])
def test_what_is_no_index_is_as_good_as_none(bench: Bench, harm: Callable[[Path], None]) -> None:
    for number in range(4):
        bench.create(number)
        bench.end(number)
    bench.time_passes(0)
    bench.check()
    for path in index_of().iterdir():
        harm(path)
    bench.check()


def index_of() -> Path:
    """The folder of the one index in the cache folder."""
    (folder,) = folders.cache_folder().iterdir()
    return folder


def test_an_index_of_another_shape_is_as_good_as_none(bench: Bench) -> None:
    bench.create(0)
    bench.end(0)
    bench.time_passes(0)
    bench.check()
    days, looks = sorted(index_of().iterdir())
    stamp = json.loads(days.read_text())["folder"]
    for ended in ([["completed", "one", None, "x"]], [["completed"]], 5, [5], {"a": 1}):
        days.write_text(json.dumps({"folder": stamp, "open": [], "ended": ended}))
        looks.write_text(json.dumps({bench.runs[0]: ended}))
        bench.check()


def test_a_backup_that_is_put_back_is_seen(bench: Bench, tmp_path: Path) -> None:
    bench.create(0)
    subprocess.run(["cp", "-a", bench.store.root, tmp_path / "backup"], check=True)
    bench.end(1)
    bench.time_passes(0)
    bench.check()
    subprocess.run(["cp", "-a", f"{tmp_path}/backup/.", bench.store.root], check=True)
    bench.time_passes(0)
    bench.check()


def test_after_a_boot_no_folder_is_believed(bench: Bench) -> None:
    bench.create(0)
    bench.end(1)
    bench.time_passes(0)
    bench.check()
    path = bench.store.path_of(bench.runs[0])
    last = path.read_bytes().splitlines(keepends=True)[-1]
    os.truncate(path, path.stat().st_size - len(last))  # seen, and lost with the power
    with patch.object(stamps, "boot", lambda: "another"):
        bench.check()


def test_each_data_folder_has_an_index_of_its_own(bench: Bench, tmp_path: Path) -> None:
    bench.create(0)
    bench.end(1)
    bench.time_passes(0)
    bench.check()
    other = Bench(tmp_path / "other")
    other.check()
    assert len(list(index_of().iterdir())) == 2


def test_an_end_that_its_owner_has_not_synced_yet_is_not_indexed(bench: Bench) -> None:
    bench.create(0)
    (run,) = bench.held.values()
    end = run.mark.end
    run.append(RunCompleted(Json("1"), AT))
    bench.time_passes(0)
    list(index.candidates(bench.store, statuses=[Status.COMPLETED]))
    os.truncate(run.path, end)  # its sync fails, and it is cut back
    assert run.path.stem in index.candidates(bench.store, statuses=[Status.INTERRUPTED])


def test_a_run_that_is_made_while_its_folder_is_looked_at_is_not_forgotten(bench: Bench) -> None:
    bench.create(0)
    bench.end(1)
    bench.time_passes(0)
    look = bench.store.look

    def look_and_make_another(run_id: str) -> object:
        bench.create(0)
        bench.end(1)
        bench.time_passes(0)
        return look(run_id)

    with patch.object(bench.store, "look", look_and_make_another):
        list(index.candidates(bench.store, jobs=["one"]))
    assert sorted(index.candidates(bench.store, jobs=["one"])) == sorted(bench.runs)


def test_a_cache_that_cannot_be_written_is_done_without(bench: Bench) -> None:
    bench.create(0)
    bench.end(0)
    folders.cache_folder().write_text("no folder")
    bench.check()


def test_what_is_known_of_days_that_are_no_more_is_forgotten(bench: Bench) -> None:
    bench.create(0)
    bench.die(0)
    bench.time_passes(0)
    bench.check()
    known = index_of()
    assert len(list(known.iterdir())) == 2
    shutil.rmtree(bench.store.runs / bench.store.days()[0])
    assert list(index.candidates(bench.store, jobs=["one"])) == []
    assert list(known.iterdir()) == []


def test_a_run_that_was_damaged_in_place_is_found_by_that_and_not_taken_for_what_it_was(
    project: Project,
) -> None:
    project.job(
        "@define_job\ndef work(step: Step, payload: dict) -> None:\n    step.run('x', int)\n"
    )
    project.run("trigger", "work")
    path = project.journal()
    for _ in range(100):
        assert project.run("list", "--status", "completed").out
        if any(project.cache.glob(f"*.index/{path.parent.name}.json")):
            break  # its day is old enough to be believed
    else:
        raise AssertionError("what is known of the day is never written down")
    path.write_bytes(path.read_bytes().replace(b'"result":0', b'"result":1'))
    assert path.stem in project.run("list", "--status", "damaged").out
    assert project.run("list", "--status", "completed").out == ""


def test_many_who_ask_while_runs_are_made_all_get_the_truth(project: Project) -> None:
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> None:
            for n in range(3):
                step.run(f"s-{n}", int)
            assert not payload.get("fails")
        """
    )
    asking = []
    for number in range(12):
        given = '{"fails": true}' if number % 3 == 0 else "{}"
        asking.append(project.start("trigger", "work", "-i", given))
        asking.append(project.start("list", "--status", "failed"))
        asking.append(project.start("list", "--job", "work", "-n", "0"))
    for process in asking:
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1), err
    assert len(project.run("list", "--status", "failed").out.splitlines()) == 4
    assert len(project.run("list", "--job", "work").out.splitlines()) == 12
