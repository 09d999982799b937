"""Workers that stand still: they keep their runs, or lose them and do nothing more of these."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest

from durably_cli.engines.dbos.database import lock_of
from tests.harness.contract import wait
from tests.harness.crew import JOB, Crew, check
from tests.harness.workers import Worked, WorkedProject

Count = Callable[[int], None]

pytestmark = pytest.mark.engine
TIMES = [
    pytest.param(2, marks=pytest.mark.long, id="some"),
    pytest.param(25, marks=pytest.mark.campaign, id="all"),
]


def begun(worked: WorkedProject, crew: Crew) -> tuple[str, Worked]:
    """A run that is in a step, or between two of them, and its worker."""
    before = len(worked.effects)
    args = ("trigger", "work", "--ms", "100", "--between", "100", "--detach")
    run = worked.run(*args).out.strip()
    worked.wait_for_effects(before + random.randint(3, 7))
    pid = int(worked.effects[-1].split()[-1])
    return run, next(each for each in crew.all if each.pid == pid)


def of(worked: WorkedProject, run: str, worker: Worked, what: str = "run") -> list[str]:
    """The steps of a run that this worker has begun, or whose results it had acknowledged."""
    lines = [line.split() for line in worked.effects]
    return [n for r, w, n, _, pid in lines if (r, w, int(pid)) == (run, what, worker.pid)]


@pytest.mark.parametrize("times", TIMES)
def test_a_worker_that_stands_still_keeps_its_run(
    times: int, worked: WorkedProject, count: Count
) -> None:
    worked.job(JOB)
    crew = Crew(worked, 2)
    for _ in range(times):
        run, owner = begun(worked, crew)
        owner.send(signal.SIGSTOP)
        time.sleep(random.uniform(1.5, 3))
        owner.send(signal.SIGCONT)
        worked.run("wait", run)
        assert len(worked.inspect(run)["attempts"]) == 1
    assert check(worked, times) == 0, "no step ran again"
    count(times)


@pytest.mark.parametrize("times", TIMES)
def test_a_worker_whose_run_was_given_to_another_starts_and_records_nothing_of_it(
    times: int, worked: WorkedProject, count: Count
) -> None:
    """It stands still, the server takes it for dead, another one takes over, and it goes on."""
    worked.job(JOB)
    crew = Crew(worked, 2)
    for _ in range(times):
        wait(lambda: all(each.takes_up_runs for each in crew.alive))
        run, owner = begun(worked, crew)
        owner.send(signal.SIGSTOP)
        time.sleep(0.1)  # until it stands still
        stopped_at = datetime.now(UTC)
        _end_sessions_of(worked, owner)
        started, acknowledged = of(worked, run, owner), of(worked, run, owner, "ack")
        others = [each for each in crew.alive if each is not owner]
        wait(lambda: any(of(worked, run, each) for each in others))  # noqa: B023
        owner.send(signal.SIGCONT)
        worked.run("wait", run)
        time.sleep(1)  # in which it would do more
        announced = announced_in_first_attempt(worked, run)
        late = [n for n, at in announced.items() if at > stopped_at]
        assert not late, f"it has announced steps {late} of a run that it has lost"
        more = of(worked, run, owner)[len(started) :]
        assert len(more) <= 1 and set(more) <= announced.keys(), "it has begun what it may not"
        assert of(worked, run, owner, "ack") == acknowledged, "it has recorded a result"
        assert len(worked.inspect(run)["attempts"]) == 2
        crew.keep()
    again = check(worked, times)
    assert again <= times, "but for the one that it was in"
    count(times)


def announced_in_first_attempt(worked: WorkedProject, run: str) -> dict[str, datetime]:
    """When it wrote of each step that this begins, which it does right before it calls it."""
    found, attempts = dict[str, datetime](), 0
    for line in worked.run("inspect", run, "--events").out.splitlines():
        event = json.loads(line)
        attempts += event["type"] == "run.started"
        if event["type"] == "step.started" and attempts == 1:
            found[event["name"].removeprefix("s")] = datetime.fromisoformat(event["at"])
    return found


def _end_sessions_of(worked: WorkedProject, worker: Worked) -> None:
    """Let the server end the session whose lock says that this worker is alive."""
    with psycopg.connect(worked.env["DURABLY_DATABASE_URL"], autocommit=True) as connection:
        found = connection.execute(
            "select executor from durably.workers where pid = %s", (worker.pid,)
        ).fetchone()
        assert found is not None
        ended = connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            " and objsubid = 2 and objid = %s",
            (lock_of(found[0])[1] & 0xFFFFFFFF,),
        ).fetchall()
        assert ended == [(True,)]
