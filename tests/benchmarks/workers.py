"""Runs that workers execute, on a PostgreSQL of their own, beside plain DBOS workflows there."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.enqueue import enqueue
from durably_cli.engines.request import Request
from durably_cli.system import clock
from durably_cli.values.strict_json import Json
from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import OURS, Part, in_turns, told
from tests.harness.postgresql import own_server
from tests.harness.workers import Worked, WorkedProject, prepared

STEPS = 500
REPLAYED = 1_000
QUEUED = 1_000
NAPS, NAP_SECONDS = 60, 0.25
IDLE_SECONDS = 20
DEATHS = 7

_JOBS = f"""
    def user(number):
        return {{"id": number, "ok": True, "name": f"user-{{number}}"}}

    @define_job
    def steps(step: Step, payload: int) -> float:
        begun = time.perf_counter()
        for number in range(payload):
            step.run(f"step-{{number}}", user, number)
        return time.perf_counter() - begun

    @define_job
    def replay(step: Step, payload: int) -> float:
        begun = time.perf_counter()
        for number in range(payload):
            step.run(f"step-{{number}}", user, number)
        if step.attempt == 1:
            raise RuntimeError("the first time")
        return time.time()

    @define_job
    def nap(step: Step, *, number: int) -> None:
        step.run("nap", time.sleep, {NAP_SECONDS})
        step.run("over", lambda: effect(f"{{number}} {{time.time()}}"))

    @define_job
    def one(step: Step, *, number: int) -> None:
        step.run("one", lambda: effect(f"{{number}} {{time.time()}}"))

    def told():
        effect(f"{{time.time()}} {{os.getpid()}}")
        time.sleep(0.02)

    @define_job
    def long(step: Step) -> None:
        for number in range(10_000):
            step.run(f"s{{number}}", told)
"""


def workers(bench: Bench) -> Iterator[Part]:
    """Steps, replays, queues and deaths of workers, and what an idle one asks the server."""
    with _project(bench) as project:
        worker = project.work(1)
        plain = bench.program("plain_dbos", project.env["DURABLY_DATABASE_URL"], str(STEPS))

        def ours() -> float:
            return float(project.run("trigger", "steps", "-i", str(STEPS)).out)

        works = {OURS: ours, "a step of plain DBOS": told(plain)}
        found = {name: 1000 * each / STEPS for name, each in in_turns(works, 5).items()}
        yield Part("a step that a worker executes", "ms", found, {"a step of plain DBOS": 1.6})
        yield Part(f"replay of {REPLAYED:,} steps by a worker", "s", {OURS: _replayed(project)})
        yield Part("an idle worker", "transactions a second", {OURS: _asked(project)})
        worker.kill()
        yield Part("from a kill of a worker to the next step", "s", {OURS: _taken_over(project)})
        project.end()
        one = _naps_a_second(project, 1)
        two = _naps_a_second(project, 2)
        limits = {"one worker": 1.8}
        figures = {OURS: two, "one worker": one}
        yield Part("runs that two workers execute", "a second", figures, limits, True)
        yield Part(f"{QUEUED:,} queued runs, 2 workers", "a second", {OURS: _queued(project)})


@contextmanager
def _project(bench: Bench) -> Iterator[WorkedProject]:
    with own_server() as server:
        assert server is not None, "there is no PostgreSQL"
        with prepared(server.url) as url:
            project = WorkedProject(Path(bench.folder) / "worked", url)
            project.job(_JOBS)
            try:
                yield project
            finally:
                project.end()


def _replayed(project: WorkedProject) -> float:
    """From the beginning of an attempt to where the steps of before are handed back."""
    found = list[float]()
    for _ in range(3):
        project.run("trigger", "replay", "-i", str(REPLAYED), expect=1)
        resumed = float(project.run("resume", "@last").out)
        attempt = project.inspect()["attempts"][-1]["started"]
        found.append(resumed - _seconds(attempt))
    return median(found)


def _seconds(at: str) -> float:
    return clock.parse_time(at).timestamp()


def _asked(project: WorkedProject) -> float:
    """What the one worker of the project asks for while there is nothing to do."""
    before = _transactions(project)
    time.sleep(IDLE_SECONDS)
    return (_transactions(project) - before - 1) / IDLE_SECONDS


def _transactions(project: WorkedProject) -> int:
    time.sleep(1.1)  # until they are counted
    with psycopg.connect(project.env["DURABLY_DATABASE_URL"], autocommit=True) as session:
        row = session.execute(
            "select xact_commit + xact_rollback from pg_stat_database"
            " where datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def _taken_over(project: WorkedProject) -> float:
    found = list[float]()
    project.run("trigger", "long", "--detach")
    living = [project.work(1), project.work(1)]
    for _ in range(DEATHS):
        project.wait_for_effects(len(project.effects) + 5)
        pid = int(project.effects[-1].split()[1])
        victim = next(each for each in living if each.pid == pid)
        victim.kill()
        killed, before = time.time(), len(project.effects)
        project.wait_for_effects(before + 1)
        found.append(float(project.effects[before].split()[0]) - killed)
        living.remove(victim)
        living.append(project.work(1))
    project.run("cancel", "@last", "--timeout", "60s")
    return median(found)


def _naps_a_second(project: WorkedProject, number: int) -> float:
    _enqueue(project, "nap", NAPS)
    living = [project.work(1) for _ in range(number)]
    rate = _rate(project, NAPS)
    _drain(living)
    return rate


def _queued(project: WorkedProject) -> float:
    _enqueue(project, "one", QUEUED)
    living = [project.work(4), project.work(4)]
    rate = _rate(project, QUEUED)
    _drain(living)
    return rate


def _drain(living: list[Worked]) -> None:
    """End them, so that nothing is done again later."""
    for worker in living:
        worker.send(signal.SIGTERM)
    for worker in living:
        worker.process.wait(60)


def _enqueue(project: WorkedProject, job: str, number: int) -> None:
    """Make so many runs, and forget what others did."""
    project.effects_path.unlink(missing_ok=True)
    database = RunDatabase(project.env["DURABLY_DATABASE_URL"], project.name)
    for each in range(number):
        given = Json(f'{{"number":{each}}}')
        enqueue(database, Request(job, given, project=str(project.root)), given, given, None)
    database.close()


def _rate(project: WorkedProject, number: int) -> float:
    """How many runs a second, from the first one's end to the last one's; each was done once."""
    project.wait_for_effects(number)
    lines = [line.split() for line in project.effects]
    assert sorted(int(done) for done, _ in lines) == [*range(number)]
    times = [float(at) for _, at in lines]
    return (number - 1) / (max(times) - min(times))
