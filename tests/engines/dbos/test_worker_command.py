"""`durably worker`: its options, and runs that it cannot, or is not to, execute."""

from __future__ import annotations

import signal
import time

import pytest

from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

TWO = """
    @define_job
    def small(step: Step) -> str:
        return step.run("s", effect, f"small {os.getpid()}")

    @define_job
    def large(step: Step) -> str:
        return step.run("l", effect, f"large {os.getpid()}")
"""
HELD = """
    def held(name):
        effect(name)
        while not os.path.exists("go"):
            time.sleep(0.02)

    @define_job
    def work(step: Step, *, name: str) -> None:
        step.run("held", held, name)
        step.run("behind", effect, f"{name} is over")
"""


def test_a_run_goes_to_a_worker_that_has_its_job(worked: WorkedProject) -> None:
    worked.job(TWO)
    small = worked.work(1, "--jobs", "small")
    with worked.start("trigger", "large") as waiting:
        assert waiting.stderr is not None
        assert "no worker has the job large" in waiting.stderr.readline()
        assert worked.runs()[0]["status"] == "pending"
        large = worked.work(1, "--jobs", "large")
        assert waiting.result().code == 0
    for _ in range(3):
        worked.run("trigger", "small")
        worked.run("trigger", "large")
    assert worked.effects == [
        f"large {large.pid}",
        *([f"small {small.pid}", f"large {large.pid}"] * 3),
    ]
    assert all(len(worked.inspect(run["id"])["attempts"]) == 1 for run in worked.runs())


def test_a_run_whose_job_no_worker_has_is_cancelled(worked: WorkedProject) -> None:
    worked.job(TWO)
    worked.work(1, "--jobs", "small")
    run = worked.run("trigger", "large", "--detach").out.strip()
    time.sleep(1)
    worked.run("cancel", run, "--timeout", "60s")
    worked.run("wait", run, expect=3)
    assert worked.effects == []


def test_a_job_that_there_is_not_is_refused(worked: WorkedProject) -> None:
    worked.job(TWO)
    refused = worked.run("worker", "--jobs", "smal", expect=4)
    assert "small" in refused.err


def test_a_module_that_does_not_import_is_said_with_the_jobs_that_do(worked: WorkedProject) -> None:
    worked.job(TWO)
    worked.job("import nothing_of_that_name", "bad")
    refused = worked.run("worker", expect=78)
    assert "nothing_of_that_name" in refused.err
    assert "durably worker --jobs small,large" in refused.err
    worked.work(1, "--jobs", "large,small")
    worked.run("trigger", "small")


def test_slots_count_runs_with_keys_and_without(worked: WorkedProject) -> None:
    worked.job(HELD)
    worked.work(2)
    for number in range(3):
        worked.run("trigger", "work", "--name", f"open {number}", "--detach")
        key = ("--concurrency-key", f"key {number}")
        worked.run("trigger", "work", "--name", f"keyed {number}", "--detach", *key)
    worked.wait_for_effects(2)
    time.sleep(2)
    assert len(worked.effects) == 2
    (worked.root / "go").touch()
    worked.wait_for_effects(12)


def test_a_worker_that_has_drained_too_long_leaves(worked: WorkedProject) -> None:
    worked.job(HELD)
    worker = worked.work(1, "--grace", "1s")
    run = worked.run("trigger", "work", "--name", "first", "--detach").out.strip()
    worked.wait_for_effects(1)
    worker.send(signal.SIGTERM)
    assert worker.process.wait(60) == 75
    assert "left in a step: 1 run" in worker.said.read_text()
    (worked.root / "go").touch()
    worked.work(1)
    worked.run("wait", run)
    assert worked.effects == ["first", "first", "first is over"]


@pytest.mark.parametrize(
    "handler",
    [
        "def work(step: Step) -> None:\n"
        "    step.sh('it', 'while test ! -e go; do sleep 0.05; done; echo over >> $EFFECTS')\n"
        "    step.run('next', effect, 'next')",
        "async def work(step) -> None:\n"
        "    await step.run('it', waited)\n"
        "    await step.run('next', effect, 'next')",
        "def work(step: Step) -> None:\n"
        "    step.map('it', lambda n: held(), range(2), concurrency=2)\n"
        "    step.run('next', effect, 'next')",
    ],
    ids=["program", "async", "threads"],
)
def test_a_drained_worker_lets_what_is_in_flight_come_to_its_end(
    worked: WorkedProject, handler: str
) -> None:
    path = worked.job(
        """
        import asyncio

        def held():
            while not os.path.exists("go"):
                time.sleep(0.02)
            effect("over")

        async def waited():
            while not os.path.exists("go"):
                await asyncio.sleep(0.02)
            effect("over")
        """
    )
    with path.open("a") as file:
        file.write(f"\n@define_job\n{handler}\n")
    worker = worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    while worked.inspect(run)["checkpoints"] == [] or not worked.inspect(run)["attempts"]:
        time.sleep(0.1)
    worker.send(signal.SIGTERM)
    time.sleep(1)
    assert worker.process.poll() is None
    (worked.root / "go").touch()
    assert worker.process.wait(60) == 0
    assert set(worked.effects) == {"over"}
    ended = len(worked.effects)
    worked.work(1)
    worked.run("wait", run)
    assert worked.effects == [*(["over"] * ended), "next"]


def test_a_run_that_kills_each_worker_is_given_up(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step) -> None:
            step.run("deadly", lambda: effect("alive") and os.kill(os.getpid(), 9))
        """
    )
    worked.run("trigger", "work", "--detach")
    killed = 0
    while True:
        worker = worked.work(1)
        deadline = time.monotonic() + 5
        while worker.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if worker.process.poll() is None:
            break
        killed += 1
        assert killed < 9
    assert "was killed 6 times without getting further" in worker.said.read_text()
    assert killed == 6 == len(worked.effects)
    assert worked.runs()[0]["status"] == "interrupted"


def test_the_unit_of_systemd_has_no_url(worked: WorkedProject) -> None:
    worked.job(TWO)
    printed = worked.run("worker", "-n", "4", "--grace", "5m", "--systemd")
    unit = printed.out
    assert "ExecStart=" in unit and " worker -n 4 --grace 5m\n" in unit
    assert "TimeoutStopSec=310\n" in unit and "KillMode=mixed\n" in unit
    assert worked.env["DURABLY_DATABASE_URL"] not in unit
    assert "EnvironmentFile=/etc/durably/" in unit and "DURABLY_DATABASE_URL=" in printed.err
