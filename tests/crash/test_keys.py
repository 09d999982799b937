"""Keys under races and kills: one idempotency key, one run; one concurrency key, one at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from tests.conftest import Project


def round_of_triggers(project: Project, key: str, processes: int) -> None:
    """So many processes trigger with one key at once: one run, one execution, one output."""
    project.effects_path.unlink(missing_ok=True)
    args = ("trigger", "once", "-p", f"key={key}", "--idempotency-key", key)
    racing = [project.start(*args) for _ in range(processes)]
    outputs = [process.communicate(timeout=120) for process in racing]
    assert [process.returncode for process in racing] == [0] * processes, outputs
    assert len({out for out, _ in outputs}) == 1
    assert project.effects == [f"charged {key}"]


@pytest.fixture
def once(project: Project) -> Project:
    project.job(
        """
        @define_job(name="once")
        def once(step: Step, payload: dict) -> dict:
            step.run("charge", effect, f"charged {payload['key']}")
            return {"pid": step.run("pid", os.getpid)}
        """,
        "once",
    )
    return project


def test_24_processes_with_one_idempotency_key_make_one_run_in_each_of_10_rounds(
    once: Project,
) -> None:
    for number in range(10):
        round_of_triggers(once, f"round-{number}", processes=24)
    assert len(once.runs()) == 10


@pytest.mark.campaign
def test_24_processes_with_one_idempotency_key_make_one_run_in_each_of_100_rounds(
    once: Project,
) -> None:
    for number in range(100):
        round_of_triggers(once, f"round-{number}", processes=24)
    assert len(once.runs()) == 100


@pytest.fixture
def exclusive(project: Project) -> Project:
    """A job that notes `overlap` if another run of it executes: a lock of its own tells."""
    project.job(
        """
        import fcntl

        @define_job(name="exclusive")
        def exclusive(step: Step, payload: dict) -> None:
            with open(os.environ["EFFECTS"] + ".lock", "w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    effect("overlap")
                for n in range(5):
                    step.run(f"step-{n}", time.sleep, 0.01)
                effect("alone")
        """,
        "exclusive",
    )
    return project


def test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not(exclusive: Project) -> None:
    chance = random.Random(time.time_ns())
    codes: list[int] = []
    for _ in range(12):
        racing = [
            exclusive.start("trigger", "exclusive", "--concurrency-key", "db") for _ in range(5)
        ]
        racing += [exclusive.start("resume", run["id"]) for run in exclusive.runs()[:3]]
        time.sleep(chance.uniform(0.1, 0.6))
        for process in chance.sample(racing, 3):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        for process in racing:
            process.communicate(timeout=60)
            codes.append(process.returncode)
    assert "overlap" not in exclusive.effects
    assert exclusive.effects.count("alone") >= 12
    assert set(codes) <= {0, 75, -signal.SIGKILL}
    assert codes.count(0) >= 12

    for run in exclusive.runs("--status", "interrupted"):
        exclusive.run("resume", run["id"])
    assert {run["status"] for run in exclusive.runs()} == {"completed"}
    assert "overlap" not in exclusive.effects


def test_a_run_that_waits_for_its_key_is_pending_and_is_named_to_those_who_skip_or_fail(
    project: Project,
) -> None:
    project.job(
        """
        @define_job(name="hold")
        def hold(step: Step, payload: dict) -> str:
            step.run("hold", until_gone, payload["file"])
            return "done"

        def until_gone(path: str) -> None:
            effect("holding")
            while os.path.exists(path):
                time.sleep(0.01)
        """,
        "hold",
    )
    gate = project.root / "gate"
    gate.touch()
    args = ("trigger", "hold", "-p", f"file={gate}", "--concurrency-key", "db")
    first = project.start(*args)
    while not project.effects:
        time.sleep(0.01)

    skipped = project.run(*args, "--on-conflict", "skip")
    (holding,) = project.runs()
    assert skipped.out == ""
    assert holding["id"][-8:] in skipped.err
    document = json.loads(project.run(*args, "--on-conflict", "skip", "--json").out)
    assert document["run"]["disposition"] == "coalesced"
    assert document["run"]["id"] == holding["id"]

    waiting = project.start(*args)
    while len(project.runs("--status", "pending")) != 1:
        assert waiting.poll() is None
    (pending,) = project.runs("--status", "pending")

    failed = project.run(*args, "--on-conflict", "fail", expect=75)
    assert pending["id"][-8:] in failed.err
    assert pending["id"][-8:] in project.run(*args, expect=75).err, "one may wait"
    assert pending["id"][-8:] in project.run(*args, "--on-conflict", "skip").err
    assert len(project.runs()) == 2, "no run is made for those who did not wait"

    gate.unlink()
    assert first.communicate(timeout=30)[0] == waiting.communicate(timeout=30)[0] == '"done"\n'


def test_a_waiter_takes_the_run_up_when_its_owner_is_killed(project: Project) -> None:
    project.job(
        """
        @define_job(name="slow")
        def slow(step: Step, payload: dict) -> str:
            effect(step.run("first", lambda: "first"))
            step.run("second", lambda: time.sleep(60) if step.attempt == 1 else None)
            return "done"
        """,
        "slow",
    )
    args = ("trigger", "slow", "--idempotency-key", "today")
    owner = project.start(*args)
    while not project.effects:
        time.sleep(0.01)
    waiter = project.start(*args)
    assert waiter.stderr is not None
    assert "waiting for run" in waiter.stderr.readline()

    no_wait = project.run(*args, "--no-wait")
    assert f"pid {owner.pid}" in no_wait.err
    assert no_wait.out == ""

    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    assert waiter.communicate(timeout=30)[0] == '"done"\n'
    assert project.effects == ["first", "first"]
    assert len(project.runs()) == 1
