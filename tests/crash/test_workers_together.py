"""Many at once on the engine dbos: one key of many processes, turns, workers that differ."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import groupby

import pytest

from tests.harness.contract import wait
from tests.harness.crew import JOB, Crew, check, enqueue
from tests.harness.workers import WorkedProject

Count = Callable[[int], None]

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("keys", "processes"),
    [
        pytest.param(1, 24, marks=pytest.mark.long, id="some"),
        pytest.param(20, 24, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_one_key_of_many_processes_is_one_run(
    keys: int, processes: int, worked: WorkedProject, count: Count
) -> None:
    worked.job(JOB)
    Crew(worked, 2)
    for n in range(keys):
        key = ("trigger", "work", "--steps", "3", "--idempotency-key", f"{n}")
        started = [worked.start(*key) for _ in range(processes)]
        results = [each.result() for each in started]
        assert {each.code for each in results} == {0}, results
        assert len({each.out for each in results}) == 1
        worked.run("trigger", "work", "--steps", "4", "--idempotency-key", f"{n}", expect=5)
    assert check(worked, keys, steps=3) == 0
    count(keys * processes)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(8, marks=pytest.mark.long, id="some"),
        pytest.param(80, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_runs_of_one_key_never_overlap_though_their_workers_are_killed(
    runs: int, worked: WorkedProject, count: Count
) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step, *, n: int) -> None:
            for i in range(3):
                step.run(f"s{i}", held, n)

        def held(n):
            effect(f"{n} begins {os.getpid()}")
            time.sleep(0.1)
            effect(f"{n} ends {os.getpid()}")
        """
    )
    enqueue(worked, [{"n": n} for n in range(runs)], concurrency_key="db")
    crew = Crew(worked, 2, slots=4)
    lives = random.Random(runs)

    def meanwhile() -> None:
        if lives.random() < 0.4:
            crew.kill_one()

    crew.until_all_have_ended(meanwhile)
    assert {run["status"] for run in worked.runs()} == {"completed"}
    check_one_at_a_time(worked.effects, {f"{each.pid}" for each in crew.all if each.is_killed})
    order = [n for n, _ in groupby(line.split()[0] for line in worked.effects)]
    assert len(order) == runs, "a run came back once another one had begun"
    count(crew.kills + runs)


def check_one_at_a_time(effects: list[str], killed: set[str]) -> None:
    """Nobody begins while another one is inside; who was killed inside comes no more."""
    inside, gone = "", set[str]()
    for line in effects:
        _, what, pid = line.split()
        assert pid not in gone, f"{line}: it had been taken for dead"
        if what == "begins":
            if inside:
                assert inside in killed, f"{line}: {inside} is inside"
                gone.add(inside)
            inside = pid
        else:
            inside = ""


@pytest.mark.long
def test_a_worker_without_the_job_leaves_its_runs_to_others(
    worked: WorkedProject, count: Count
) -> None:
    """Whoever has not all jobs of a project takes up what shares no key, of those that it has."""
    other = worked.job(JOB.replace("def work", "def other"), "other")
    without = worked.work(2)
    worked.job(JOB)
    first = worked.run("trigger", "work", "--detach").out.strip()
    assert "completed" in worked.run("trigger", "other", expect=0).err
    assert worked.runs("--job", "work")[0]["status"] == "pending"
    assert other.exists() and without.takes_up_runs
    crew = Crew(worked, 1)
    worked.run("wait", first)
    assert {line.split()[-1] for line in worked.effects if line.startswith(first)} == {
        f"{crew.all[0].pid}"
    }
    count(1)


@pytest.mark.long
def test_two_versions_of_the_code_go_on_with_one_run_by_the_names_of_its_steps(
    worked: WorkedProject, count: Count
) -> None:
    text = """
        @define_job
        def work(step: Step) -> list[str]:
            found = [step.run(name, effect, name) for name in NAMES]
            while not os.path.exists("go"):
                time.sleep(0.05)
            return found + [step.run("end", effect, "end")]

        NAMES = ["a", "b", "c"]
    """
    worked.job(text)
    old = worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    wait(lambda: len(worked.effects) == 3)
    worked.job(text.replace('["a", "b", "c"]', '["new", "c", "a"]'))
    worked.work(1)
    (worked.root / "go").touch()
    old.kill()
    assert json.loads(worked.run("wait", run).out) == ["new", "c", "a", "end"]
    assert worked.effects == ["a", "b", "c", "new", "end"]
    count(1)
