"""Triggers and resumes that find a run claimed, deleted or ended by another process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import trigger
from durably_cli.engines.local.turns import Turn
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Disposition, Request, canonical_sha256
from durably_cli.errors import NotFound
from durably_cli.journal import ownership
from durably_cli.journal.events import FORMAT, RunCompleted, RunCreated
from durably_cli.journal.writer import Journal
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import AT

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


def no_job(_: object) -> Any:
    raise AssertionError("a job is looked for")


class Observer:
    """Sees nothing but a run that is waited for."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile

    def waits_for_run(self, _: object) -> None:
        self._meanwhile()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_a_run_whose_removal_was_cut_short_is_not_resumed(store: Store) -> None:
    with create(store) as run:
        run_id = run.path.stem
    claims = Claims(store.root)
    claim = claims.find("job", "today")
    assert claim is not None
    claims.bury(claims.path("job", "today"), claim, AT)
    observer: Any = Observer(no_job)
    with pytest.raises(NotFound, match="its removal was cut short"):
        resume(store, run_id, no_job, observer)


def test_a_trigger_that_finds_its_run_made_meanwhile_waits_for_it_and_holds_no_turn(
    store: Store,
) -> None:
    made: list[Journal] = []

    class Job:
        def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
            return ReadyInput(given, canonical=given)

    def load(_: object) -> Any:
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


@pytest.mark.parametrize("by", ["trigger", "resume"])
@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
def test_an_end_that_another_process_wrote_is_synced_before_it_is_acted_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, by: str, held: bool
) -> None:
    with create(store) as run:
        run.append(RunCompleted(Json("1"), AT))
    lock = ownership.hold(run.path) if held else None
    synced, sync = list[int](), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_ino) or sync(fd))
    observer: Any = Observer(lambda: lock and lock.close())
    if by == "trigger":
        trigger(store, KEYED, no_job, observer)
    else:
        resume(store, run.path.stem, no_job, observer)
    assert run.path.stat().st_ino in synced
    if lock:
        lock.close()
