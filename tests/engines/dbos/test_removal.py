"""Runs that are removed from the database: nothing of them is left, and their keys stay used."""

from __future__ import annotations

import json

import psycopg
import pytest

from durably_cli.engines.dbos.database import RunDatabase, lock_of
from durably_cli.engines.dbos.retention import retain_rows
from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

STEPS = """
    @define_job
    def work(step: Step, *, n: int = 2) -> int:
        step.log.info("begins")
        for i in range(n):
            step.run(f"s{i}", effect, f"e{i}")
        return n

    @define_job
    def waits(step: Step) -> None:
        step.wait_signal("it", int)

    def held():
        effect("held")
        while not os.path.exists("go"):
            time.sleep(0.05)

    @define_job
    def holds(step: Step) -> None:
        step.run("held", held)
"""


def rows_of(url: str, run: str) -> dict[str, int]:
    """How many rows of each table of DBOS and durably have the run's id, in whatever column."""
    with psycopg.connect(url) as session:
        tables = session.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('dbos', 'durably')"
        ).fetchall()
        found = {}
        for schema, table in tables:
            query = f'select count(*) from "{schema}"."{table}" as t where t::text like %s'
            row = session.execute(query, (f"%{run}%",)).fetchone()  # type: ignore[arg-type]
            if row and row[0]:
                found[f"{schema}.{table}"] = row[0]
        return found


def test_nothing_is_left_of_a_removed_run_but_its_key(
    worked: WorkedProject, database_url: str
) -> None:
    worked.job(STEPS)
    worked.work()
    worked.run("trigger", "work", "--idempotency-key", "today")
    run = worked.runs()[0]["id"]
    assert {"dbos.workflow_status", "dbos.operation_outputs", "durably.runs"} < {
        *rows_of(database_url, run)
    }
    said = worked.run("delete", "@last")
    assert said.out == f"{run}\n" and "deleted 1 run, " in said.err
    assert rows_of(database_url, run) == {"durably.keys": 1}
    gone = worked.run("trigger", "work", "--idempotency-key", "today", expect=4)
    assert "was deleted at" in gone.err and "not done again" in gone.err
    worked.run("delete", "key:work/today", "--free-keys")
    assert rows_of(database_url, run) == {}
    worked.run("trigger", "work", "--idempotency-key", "today")
    assert worked.effects == ["e0", "e1"] * 2


def test_a_run_that_is_executed_or_queued_stays(worked: WorkedProject) -> None:
    worked.job(STEPS)
    queued = worked.run("trigger", "work", "--detach").out.strip()
    every = ("--status", "pending", "--status", "running", "--status", "interrupted")
    assert "waits for a worker" in worked.run("delete", queued, *every, expect=75).err
    worked.run("cancel", queued)
    worked.run("delete", queued)
    assert worked.runs() == []
    worked.work()
    with worked.start("trigger", "holds") as waiting:
        worked.wait_for_effects(1)
        assert " on " in worked.run("delete", "@last", *every, expect=75).err
        assert worked.run("prune", "--older-than", "0m", "--yes", *every).out == ""
        (worked.root / "go").touch()
        assert waiting.result().code == 0


def test_a_run_that_waits_goes_only_if_that_is_asked_for(
    worked: WorkedProject, database_url: str
) -> None:
    worked.job(STEPS)
    worked.work()
    run = worked.run("trigger", "waits", "--detach").out.strip()
    worked.run("wait", run, "--timeout", "2s", expect=None)
    assert worked.runs()[0]["status"] == "waiting"
    worked.run("delete", run, expect=2)
    worked.run("delete", run, "--status", "waiting")
    assert rows_of(database_url, run) == {}


@pytest.mark.campaign
def test_a_cancelled_run_is_old_however_it_was_cancelled(worked: WorkedProject) -> None:
    worked.job(STEPS)
    queued = worked.run("trigger", "work", "--detach").out.strip()
    worked.run("cancel", queued)
    worked.work()
    waits = worked.run("trigger", "waits", "--detach").out.strip()
    worked.run("wait", waits, "--timeout", "2s", expect=None)
    worked.run("cancel", waits, "--timeout", "60s")
    done = worked.run("trigger", "work", "--detach").out.strip()
    worked.run("wait", done)
    worked.run("prune", "--older-than", "0m", "--keep-last", "1", "--yes")
    assert [each["id"] for each in worked.runs()] == [done, waits]
    assert worked.run("prune", "--older-than", "0m", "--yes").out.split() == [done, waits]
    assert worked.runs() == []


@pytest.mark.parametrize("keep_last", [0, 1])
def test_old_runs_go_once_an_hour_and_one_worker_at_a_time(
    worked: WorkedProject, database_url: str, keep_last: int
) -> None:
    worked.job(STEPS)
    worked.work()
    for _ in range(3):
        worked.run("trigger", "work", "--n", "0")
    newest = [each["id"] for each in worked.runs()]
    name = json.loads(worked.run("info", "--json").out)["info"]["engine"]["source"]
    project = name.rpartition("(")[2].rstrip(")")
    database = RunDatabase(database_url, project)
    with psycopg.connect(database_url) as other:
        other.execute("select pg_advisory_lock(%s, %s)", lock_of(f"{project} retention"))
        assert retain_rows(database, 0.001, keep_last) == [], "another worker is at it"
    assert retain_rows(database, 3600.0, keep_last) == []
    assert retain_rows(database, 0.001, keep_last) == newest[keep_last:]
    worked.run("trigger", "work", "--n", "0")
    worked.run("trigger", "work", "--n", "0")
    assert retain_rows(database, 0.001, keep_last) == [], "within the hour"
    database.change("update durably.retention set at = at - interval '61 minutes'")
    assert len(retain_rows(database, 0.001, keep_last)) == 2
    database.close()


CHILDREN = """
    @define_job
    def child(step: Step) -> None:
        effect("child")
        step.wait_signal("it", int)

    @define_job
    def parent(step: Step) -> None:
        step.run_job("below", child, None)
"""


def test_a_child_goes_with_its_parent_and_is_ended_by_that(
    worked: WorkedProject, database_url: str
) -> None:
    worked.job(CHILDREN)
    worked.work()
    parent = worked.run("trigger", "parent", "--detach").out.strip()
    worked.wait_for_effects(1)
    worked.run("wait", parent, "--timeout", "3s", expect=None)
    child = next(each["id"] for each in worked.runs() if each["id"] != parent)
    refused = worked.run("delete", child, "--status", "waiting", expect=2)
    assert "is a step of run" in refused.err
    worked.run("delete", parent, "--status", "waiting")
    assert worked.run("wait", child, "--timeout", "60s", expect=3).code == 3
    assert "is deleted" in worked.inspect(child)["reason"]
    assert worked.run("prune", "--older-than", "0s", "--yes").out == f"{child}\n"
    assert rows_of(database_url, child) == {}


def test_children_go_behind_their_parent(worked: WorkedProject) -> None:
    worked.job(CHILDREN.replace('step.wait_signal("it", int)', "pass"))
    worked.work()
    parent = worked.run("trigger", "parent", "--detach").out.strip()
    worked.run("wait", parent)
    (child,) = (each["id"] for each in worked.runs() if each["id"] != parent)
    would = worked.run("prune", "--older-than", "0s", "--keep-last", "1", "--dry-run").out
    assert would == ""
    gone = worked.run("prune", "--older-than", "0s", "--yes").out.split()
    assert gone == [parent, child]
