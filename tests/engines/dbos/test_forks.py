"""Forks on the engine dbos: what they are made of is in the database before a worker begins."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.engines.jobs import LIVES_ON
from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

STEPS = f"""{LIVES_ON}
    @define_job
    def fails(step: Step) -> list[str]:
        return [step.run("one", effect, "one"), step.run("bad", bad)]

    @define_job
    def holds(step: Step) -> None:
        step.run("one", effect, "one")
        while not os.path.exists("go"):
            time.sleep(0.05)
"""


def test_the_fork_of_a_queued_or_executed_run_is_refused(worked: WorkedProject) -> None:
    worked.job(STEPS)
    queued = worked.run("trigger", "work", "--detach").out.strip()
    assert "waits for a worker" in worked.run("fork", queued, expect=75).err
    worked.run("cancel", queued)
    worked.work()
    with worked.start("trigger", "holds") as waiting:
        worked.wait_for_effects(1)
        worked.run("fork", "@last", expect=75)
        (worked.root / "go").touch()
        assert waiting.result().code == 0


def test_a_fork_that_waits_for_a_worker_has_its_steps_and_is_one_when_made_elsewhere(
    worked: WorkedProject, database_url: str
) -> None:
    worked.job(STEPS)
    worker = worked.work()
    worked.run("trigger", "work")
    origin = worked.runs()[0]["id"]
    worker.kill()
    with worked.start("fork", origin, "--redo", "two") as forking:
        assert forking.stderr is not None
        assert "a fork of run" in forking.stderr.readline()
        assert "no worker has the job" in forking.stderr.readline()
        fork = worked.runs()[0]
        assert (fork["status"], fork["origin"]) == ("pending", origin)
        assert [each["name"] for each in worked.inspect(fork["id"])["checkpoints"]][:2] == [
            "one",
            "two",
        ]
        worked.work()
        assert forking.result().code == 0
    assert worked.effects == ["one", "two", "two"]
    assert worked.inspect(origin)["forks"] == [fork["id"]]
    worked.run("delete", fork["id"])
    assert worked.inspect(origin)["forks"] == []
    with psycopg.connect(database_url) as session:
        left = session.execute("select count(*) from durably.forks where run = %s", (fork["id"],))
        assert left.fetchone() == (0,)


def test_a_fork_of_a_fork_is_exported_and_goes_on_locally(worked: WorkedProject) -> None:
    worked.job(STEPS)
    worked.work()
    worked.run("trigger", "fails", expect=1)
    worked.run("fork", "@last", expect=1)
    worked.run("fork", "@last", expect=1)
    bundle = str(worked.root / "run.tar.gz")
    worked.run("export", "@last", "-o", bundle)
    worked.env["DURABLY_ENGINE"] = "local"
    worked.run("import", bundle, "--adopt")
    (worked.root / "mended").touch()
    assert json.loads(worked.run("resume", "@last").out) == ["one", "bad"]
    assert worked.effects == ["one", "bad"]
