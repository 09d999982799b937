"""Keys under races and kills: who shares a concurrency key runs one at a time, waiting in turn."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.harness.warm import Warm


@pytest.fixture
def exclusive(project: Project) -> Project:
    """A job that notes `overlap` if another run of it executes: a lock of its own tells."""
    project.job(
        """
        import fcntl

        @define_job(name="exclusive")
        def exclusive(step: Step, payload: dict) -> None:
            with open(os.environ["EFFECTS"] + ".lock", "a+") as file:
                while not has_lock(file.fileno()):
                    if not is_leaving(os.pread(file.fileno(), 20, 0).decode()):
                        effect("overlap")
                        break
                    time.sleep(0.001)
                file.truncate(0)
                os.write(file.fileno(), str(os.getpid()).encode())
                for n in range(5):
                    step.run(f"step-{n}", time.sleep, 0.01)
                effect("alone")

        def has_lock(fd: int) -> bool:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def is_leaving(pid: str) -> bool:
            "A process that was killed lets go of its files one after the other."
            try:
                with open(f"/proc/{pid}/stat") as file:
                    flags = int(file.read().rpartition(")")[2].split()[6])
            except (OSError, ValueError):
                return bool(pid)
            return bool(flags & 4)
        """,
        "exclusive",
    )
    return project


def compete_and_kill(project: Project, warm: Warm, rounds: int) -> int:
    """Rounds of triggers and resumes that share a key, some of them killed; how many were."""
    codes: list[int] = []
    for _ in range(rounds):
        racing = [warm.start("trigger", "exclusive", "--concurrency-key", "db") for _ in range(5)]
        racing += [warm.start("resume", run["id"]) for run in listed(warm)[:3]]
        racing[0].has_ended(random.uniform(0, 0.3))
        for command in random.sample(racing, 3):
            command.kill()
        codes += [command.result().code for command in racing]
    assert set(codes) <= {0, 75, -signal.SIGKILL}
    assert codes.count(0) >= rounds

    for run in listed(warm, "--status", "interrupted"):
        warm.run("resume", run["id"])
    assert {run["status"] for run in listed(warm)} == {"completed"}
    assert "overlap" not in project.effects
    assert project.effects.count("alone") >= len(listed(warm))
    return codes.count(-signal.SIGKILL)


def listed(warm: Warm, *filters: str) -> list[dict[str, object]]:
    found = json.loads(warm.run("list", "-n", "0", "--json", *filters).out)["runs"]
    assert isinstance(found, list)
    return found


def test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not(
    exclusive: Project, count: Callable[[int], None]
) -> None:
    with Warm(exclusive) as warm:
        count(compete_and_kill(exclusive, warm, rounds=6))


@pytest.mark.campaign
def test_runs_that_share_a_concurrency_key_never_overlap_in_200_rounds(
    exclusive: Project, count: Callable[[int], None]
) -> None:
    with Warm(exclusive) as warm:
        count(compete_and_kill(exclusive, warm, rounds=200))


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
    assert first.communicate(timeout=30)[0] == waiting.communicate(timeout=30)[0] == '"done"\n'
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

    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    assert waiter.communicate(timeout=30)[0] == '"done"\n'
    assert project.effects == ["first", "first"]
    assert len(project.runs()) == 1
    count(1)
