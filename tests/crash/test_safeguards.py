"""Safeguards of one line each: without the line, everything else still works.

In this process, on real files and locks; the seeded bugs take the lines away one at a time.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.local import index
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.execute import BoundHandler
from durably_cli.engines.local.repair import find_cut, repair
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import canonical_sha256, trigger
from durably_cli.engines.local.turns import Turn
from durably_cli.engines.local.view import RunView
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Disposition, Request
from durably_cli.errors import JournalLost, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.blobs import LIMIT, Blobs
from durably_cli.journal.events import FORMAT, RunCompleted, RunCreated, StepCompleted
from durably_cli.journal.state import Status
from durably_cli.journal.writer import Journal
from durably_cli.system import ids
from durably_cli.values.strict_json import Json, to_json
from tests.conftest import Project
from tests.harness.sample_journals import AT

Count = Callable[[int], None]

INPUT = Json("{}")
KEYED = Request("job", INPUT, "/project", idempotency_key="today", concurrency_key="db")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def create(store: Store) -> Journal:
    """A run of KEYED, claimed and held."""
    created = RunCreated(FORMAT, ids.new(), "job", INPUT, AT, idempotency_key="today")
    Claims(store.root).make("job", "today", Claim(created.run, canonical_sha256(INPUT)))
    run = store.create(created)
    assert run is not None
    return run


class Job:
    """What is executed for KEYED: nothing ever is."""

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        return ReadyInput(given, canonical=given)

    def work(self, input: Json) -> BoundHandler:
        raise AssertionError("the run is executed")


def no_job(_: object) -> Job:
    raise AssertionError("a job is looked for")


class Observer:
    """Sees nothing but a run that is waited for."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile

    def waits_for_run(self, _: RunView) -> None:
        self._meanwhile()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


NOBODY: Any = Observer(lambda: None)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that are synced, as they are."""
    inodes: list[int] = []
    real = os.fdatasync

    def spy(fd: int) -> None:
        real(fd)
        inodes.append(os.fstat(fd).st_ino)

    monkeypatch.setattr(os, "fdatasync", spy)
    return inodes


def test_each_repair_keeps_an_original_of_its_own(store: Store, count: Count) -> None:
    with create(store) as run:
        path = run.path
    originals = []
    for garbage in (b"no line of ours\n", b"nor this one\n"):
        with open(path, "ab") as file:
            file.write(garbage)
        originals.append(path.read_bytes())
        cut = find_cut(store, path.stem)
        assert cut is not None
        repair(store, path.stem, cut)
    kept = [path.with_suffix(f".damaged-{number}").read_bytes() for number in (1, 2)]
    assert kept == originals
    count(2)


def test_a_child_that_c_code_forks_appends_nothing(store: Store, count: Count) -> None:
    with create(store) as run:
        before = run.path.read_bytes()
        child = ctypes.PyDLL(None).fork()  # Python hears nothing of it
        if child == 0:
            try:
                run.append(StepCompleted("one", 1, Json("1"), AT))
            except JournalLost:
                os._exit(7)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert run.path.read_bytes() == before
        run.append(StepCompleted("one", 1, Json("1"), AT))
    count(1)


def test_a_run_whose_removal_was_cut_short_is_not_resumed(store: Store, count: Count) -> None:
    with create(store) as run:
        run_id = run.path.stem
    claims = Claims(store.root)
    claim = claims.find("job", "today")
    assert claim is not None
    claims.bury(claims.path("job", "today"), claim, AT)
    with pytest.raises(NotFound, match="its removal was cut short"):
        resume(store, run_id, no_job, NOBODY)
    count(1)


def test_who_waits_for_a_run_that_fails_meanwhile_does_not_execute_it_again(
    project: Project, count: Count
) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step, payload: dict) -> None:
            step.run("wait", wait)

        def wait() -> None:
            effect("executed")
            while not os.path.exists("go"):
                time.sleep(0.01)
            raise RuntimeError("in vain")
        """,
        "slow",
    )
    args = ("trigger", "slow", "--idempotency-key", "today")
    with project.start(*args) as owner:
        project.wait_for_effects()
        with project.start(*args, stdout=subprocess.DEVNULL) as waiter:
            assert waiter.stderr is not None
            assert "waiting for run" in waiter.stderr.readline()
            (project.root / "go").touch()
            assert "failed before" in waiter.stderr.read()
        owner.communicate(timeout=60)
    assert (owner.returncode, waiter.returncode) == (1, 1)
    assert project.effects == ["executed"]
    count(1)


def test_a_trigger_that_finds_its_run_made_meanwhile_waits_for_it_and_holds_no_turn(
    store: Store, count: Count
) -> None:
    made: list[Journal] = []

    def load(_: object) -> Job:
        made.append(create(store))  # by another process, behind the look-up of the key
        return Job()

    def end_it() -> None:
        with Turn(store.root, "db") as turn:
            assert turn.take_slot() is None
            assert turn.take_key(made[0].path.stem) is None
        with made[0] as run:
            run.append(RunCompleted(Json("1"), AT))

    observer: Any = Observer(end_it)
    result = trigger(store, KEYED, load, observer)
    assert result[:3] == (made[0].path.stem, Disposition.IDEMPOTENT, False)
    count(1)


def large(name: str) -> StepCompleted:
    return StepCompleted(name, 1, Json(to_json("x" * LIMIT)), AT)


def test_a_large_result_that_cannot_be_saved_is_the_last_that_is_tried(
    store: Store, count: Count
) -> None:
    run = create(store)
    Blobs(run.path).folder.touch()  # a file, where its folder is to be
    with pytest.raises(JournalLost, match="the result of step 'one' was not saved"):
        run.append(large("one"))
    Blobs(run.path).folder.unlink()
    with pytest.raises(JournalLost):
        run.append(StepCompleted("two", 1, Json("2"), AT))
    ownership.hold(run.path, seconds=0).close()
    count(1)


def completed(store: Store) -> Path:
    with create(store) as run:
        run.append(RunCompleted(Json("1"), AT))
    return run.path


@pytest.mark.parametrize("by", ["trigger", "resume"])
@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
def test_an_end_that_another_process_wrote_is_synced_before_it_is_acted_on(
    store: Store, synced: list[int], count: Count, by: str, held: bool
) -> None:
    path = completed(store)
    lock = ownership.hold(path) if held else None
    synced.clear()
    if by == "trigger":
        observer: Any = Observer(lambda: lock and lock.close())
        trigger(store, KEYED, no_job, observer)
    else:
        resume(store, path.stem, no_job, NOBODY)
    assert path.stat().st_ino in synced
    if lock:
        lock.close()
    count(1)


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Wait until the index believes folders as they are now."""
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "SETTLED_NS", 20_000_000)
    yield lambda: time.sleep(0.03)


def test_an_end_that_its_owner_has_not_synced_yet_is_not_indexed(
    store: Store, settled: Callable[[], None], count: Count
) -> None:
    with create(store) as run:
        end = run.mark.end
        run.append(RunCompleted(Json("1"), AT))
        settled()
        list(index.candidates(store, statuses=[Status.COMPLETED]))
        os.truncate(run.path, end)  # its sync fails, and it is cut back
    assert run.path.stem in index.candidates(store, statuses=[Status.INTERRUPTED])
    count(1)


class StoreInUse(Store):
    """A store in which a run is made whenever another one is looked at."""

    def look(self, run_id: str) -> Any:
        completed(self)
        time.sleep(0.03)
        return super().look(run_id)


def test_a_run_that_is_made_while_its_folder_is_looked_at_is_not_forgotten(
    store: Store, settled: Callable[[], None], count: Count
) -> None:
    completed(store)
    settled()
    list(index.candidates(StoreInUse(store.root), jobs=["job"]))
    assert sorted(index.candidates(store, jobs=["job"])) == sorted(store.run_ids())
    count(1)
