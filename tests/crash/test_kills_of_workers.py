"""Workers of the engine dbos are killed, in every phase: nothing acknowledged runs again.

How many runs the campaign has killed is DURABLY_KILLED_RUNS, 120 if that is not set:

    DURABLY_KILLED_RUNS=1000 pytest -m 'campaign and engine' tests/crash/test_kills_of_workers.py
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.harness.crew import DIES, JOB, Crew, check, enqueue
from tests.harness.workers import WorkedProject

Count = Callable[[int], None]

pytestmark = pytest.mark.engine
CAMPAIGN = int(os.environ.get("DURABLY_KILLED_RUNS", "120"))
SOME_OR_ALL = [
    pytest.param(8, marks=pytest.mark.long, id="some"),
    pytest.param(CAMPAIGN, marks=pytest.mark.campaign, id="all"),
]


@pytest.mark.parametrize("runs", SOME_OR_ALL)
def test_workers_that_are_killed_in_every_phase(
    runs: int, worked: WorkedProject, count: Count
) -> None:
    """In steps, between them, in waits, while they take runs up, and while they drain."""
    worked.job(JOB)
    for n in range(runs):
        dies = [*DIES, "wait"][n % 4]
        worked.run("trigger", "work", "--dies", dies, "--ms", "30", "--detach", "-q")
    crew = Crew(worked, 2)
    left = iter(range(runs))

    def meanwhile() -> None:
        if next(left, None) is not None:
            crew.kill_one()

    crew.until_all_have_ended(meanwhile, seconds=60 + 20 * runs)
    again, kills = check(worked, runs), crew.kills
    print(f"{kills} kills, {again} steps again")
    assert kills >= runs * 3 // 4 and again <= 2 * kills, (kills, again)
    count(kills)


@pytest.mark.parametrize("runs", SOME_OR_ALL)
def test_a_trigger_that_is_killed_while_it_makes_the_run(
    runs: int, worked: WorkedProject, count: Count
) -> None:
    """There is a run of the key that a worker takes up, or none; the next trigger gives one."""
    worked.job(JOB)
    Crew(worked, 1)
    kills = 0
    for n in range(runs):
        key = ("trigger", "work", "--steps", "2", "--idempotency-key", f"{n}")
        for _ in range(2):
            killed = worked.start(*key)
            killed.has_ended(random.uniform(0.1, 0.6))
            kills += killed.is_killed()
        worked.run(*key)
    check(worked, runs, steps=2)
    count(kills)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(100, marks=pytest.mark.long, id="some"),
        pytest.param(1000, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_no_queued_run_is_lost(runs: int, worked: WorkedProject, count: Count) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step, *, n: int) -> int:
            return step.run("it", once, n)

        def once(n):
            effect(f"{n} {os.getpid()}")
            return n
        """
    )
    enqueue(worked, [{"n": n} for n in range(runs)])
    crew = Crew(worked, 2, slots=4)
    crew.until_all_have_ended(crew.kill_one, seconds=60 + runs)
    found = worked.runs()
    assert len(found) == runs and {run["status"] for run in found} == {"completed"}
    done = Counter(line.split()[0] for line in worked.effects)
    assert done.keys() == {str(n) for n in range(runs)}
    again = done.total() - runs
    print(f"{crew.kills} kills, {again} steps again")
    assert again <= crew.kills * 4 * 2, "but for those in flight at the kills"
    count(crew.kills)
