"""`durably_store`: what a test of a user's project sees."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import durably
import pytest
from durably import DurablyStore, Retry, Run, Step, define_job

from durably_cli.errors import Conflict, UsageError


@define_job
def patient(step: Step, payload: None) -> str:
    """Wait for three days, and then for a word."""
    step.sleep("days", "3d")
    return step.wait_signal("word", str, timeout="1d", default="none came")


@define_job
def asks(step: Step, payload: None) -> str:
    """Wait for a word."""
    return step.wait_signal("word", str, timeout="1d", default="none came")


@define_job
def flaky(step: Step, payload: None) -> list[float]:
    """Fail once."""
    begun = list[float]()

    def act() -> list[float]:
        begun.append(time.monotonic())
        if len(begun) < 2:
            raise OSError
        return begun

    return step.run("act", act, tries=Retry(2, delay=0.2, jitter=False))


@define_job
def other(step: Step, payload: None) -> None: ...


def status(run: Run[str], job: durably.Job[None, str] = patient) -> str:
    return job.resume(run.id, suspend=True).status


def test_time_passes_only_when_it_is_moved(durably_store: DurablyStore) -> None:
    run = patient.trigger(suspend=True)
    assert (run.status, status(run)) == ("waiting", "waiting")
    durably_store.pass_time(timedelta(days=2.9))
    assert status(run) == "waiting"
    durably_store.pass_time("0.1d")
    assert status(run) == "waiting"  # for the word
    durably.signal(run, "word", "now")
    assert patient.resume(run.id).output == "now"
    durably.signal(run, "word", "now")
    with pytest.raises(Conflict, match="was sent before"):
        durably.signal(run, "word", "again")
    with pytest.raises(Conflict, match="has completed"):
        durably.signal(run, "another", "again")


def test_its_runs_are_local_whatever_engine_the_project_has(durably_store: DurablyStore) -> None:
    assert os.environ["DURABLY_ENGINE"] == "local"


def test_a_deadline_that_is_moved_past_is_over(durably_store: DurablyStore) -> None:
    run = patient.trigger(suspend=True)
    durably_store.pass_time("3d")
    assert status(run) == "waiting"
    durably_store.pass_time("1d")
    with pytest.raises(Conflict, match="deadline"):
        durably.signal(run, "word", "late")
    assert patient.resume(run.id).output == "none came"


def test_a_deadline_is_over_once_the_whole_time_has_passed(durably_store: DurablyStore) -> None:
    """Twenty times: whether a millisecond passes by itself meanwhile is a matter of luck."""
    for _ in range(20):
        run = asks.trigger(suspend=True)
        durably_store.pass_time("1d")
        with pytest.raises(Conflict, match="deadline"):
            durably.signal(run, "word", "late")


def test_a_pause_between_tries_is_as_long_when_time_was_moved(durably_store: DurablyStore) -> None:
    durably_store.pass_time("1d")
    begun = flaky.trigger().output
    assert begun is not None
    assert begun[1] - begun[0] >= 0.2


def test_a_run_made_later_begins_later(durably_store: DurablyStore) -> None:
    first = patient.trigger(suspend=True)
    durably_store.pass_time("1d")
    second = patient.trigger(suspend=True)
    durably_store.pass_time("2d")
    durably.signal(first, "word", "now")
    assert (status(first), status(second)) == ("completed", "waiting")


@pytest.mark.parametrize("wrong", [-1, "soon", float("nan"), None, "101000w"])
def test_what_is_no_span_of_time_moves_nothing(durably_store: DurablyStore, wrong: object) -> None:
    run = patient.trigger(suspend=True)
    with pytest.raises((TypeError, ValueError), match="span of time"):
        durably_store.pass_time(wrong)  # type: ignore[arg-type]
    assert status(run) == "waiting"


def test_a_key_of_a_run_that_waits_finds_it(durably_store: DurablyStore) -> None:
    run = patient.trigger(suspend=True, idempotency_key="once")
    again = patient.trigger(idempotency_key="once")  # would sit for days, if it did
    assert (again.id, again.status, again.disposition) == (run.id, "waiting", "idempotent")


def test_a_job_resumes_runs_of_its_own_only(durably_store: DurablyStore) -> None:
    run = patient.trigger(suspend=True)
    with pytest.raises(UsageError, match="is one of patient, not of other"):
        other.resume(run.id)


def test_each_test_has_a_store_of_its_own(tmp_path: Path) -> None:
    """And the process its time and its folder again, when a test has ended."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "nap.py").write_text(
        dedent("""
        from durably import Step, define_job

        @define_job
        def nap(step: Step, payload: None) -> int:
            step.sleep("week", "1w")
            return 7
        """)
    )
    (tmp_path / "test_nap.py").write_text(
        dedent("""
        import os, time
        from durably_cli.system import clock
        from jobs.nap import nap

        def test_first(durably_store):
            assert os.environ["DURABLY_DATA_DIR"] == str(durably_store.path)
            run = nap.trigger(suspend=True, idempotency_key="same")
            durably_store.pass_time("1w")
            assert nap.resume(run.id).output == 7

        def test_second(durably_store):
            assert not any(durably_store.path.iterdir())
            assert nap.trigger(suspend=True, idempotency_key="same").status == "waiting"

        def test_without_it():
            assert os.environ["DURABLY_DATA_DIR"] == "/nowhere"
            assert abs(clock.utc_now().timestamp() - time.time()) < 60
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_nap.py"],
        cwd=tmp_path,
        env={**os.environ, "DURABLY_DATA_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
