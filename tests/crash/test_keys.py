"""Keys under races and kills: who shares a concurrency key runs one at a time, waiting in turn."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.harness.kills import check_one_at_a_time


def compete_and_kill(project: Project, rounds: int) -> int:
    """Rounds of triggers and resumes that share a key, some of them killed; how many were."""
    project.job(
        """
        @define_job(name="exclusive")
        def exclusive(step: Step, payload: dict) -> None:
            for n in range(5):
                step.run(f"step-{n}", time.sleep, 0.01)
                effect(f"did {os.getpid()}")
        """,
        "exclusive",
    )
    codes: list[int] = []
    for _ in range(rounds):
        words = [("trigger", "exclusive", "--concurrency-key", "db")] * 5
        words += [("resume", run["id"]) for run in project.runs()[:3]]
        racing = [project.start(*each) for each in words]
        racing[0].has_ended(random.uniform(0, 0.3))
        for process in random.sample(racing, 3):
            process.is_killed()
        codes += [process.result().code for process in racing]
    assert set(codes) <= {0, 75, -signal.SIGKILL}
    assert codes.count(0) >= rounds
    for run in project.runs("--status", "interrupted"):
        project.run("resume", run["id"])
    assert {run["status"] for run in project.runs()} == {"completed"}
    check_one_at_a_time(project.effects)
    return codes.count(-signal.SIGKILL)


@pytest.mark.parametrize("rounds", [5, pytest.param(200, marks=pytest.mark.campaign)])
def test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not(
    rounds: int, project: Project, count: Callable[[int], None]
) -> None:
    count(compete_and_kill(project, rounds))


def test_a_run_that_waits_for_its_key_is_pending_and_is_named_to_those_who_skip_or_fail(
    project: Project, count: Callable[[int], None]
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
    project.wait_for_effects()

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
    assert first.result().out == waiting.result().out == '"done"\n'
    count(6)


def test_a_waiter_takes_the_run_up_when_its_owner_is_killed(
    project: Project, count: Callable[[int], None]
) -> None:
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
    project.wait_for_effects()
    waiter = project.start(*args)
    assert waiter.stderr is not None
    assert "waiting for run" in waiter.stderr.readline()

    no_wait = project.run(*args, "--no-wait")
    assert f"pid {owner.pid}" in no_wait.err
    assert no_wait.out == ""

    assert owner.is_killed()
    assert waiter.result().out == '"done"\n'
    assert project.effects == ["first", "first"]
    assert len(project.runs()) == 1
    count(1)
