"""What may go wrong between workers, and what people ask for at the wrong moment."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter

import psycopg
import pytest

from durably_cli.engines.dbos.database import RunDatabase, masked
from durably_cli.errors import Unreachable
from tests.harness.workers import WorkedProject

PARENT = """
    def bad():
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect("child")

    @define_job
    def child(step: Step) -> str:
        return step.run("bad", bad)

    @define_job
    def parent(step: Step) -> str:
        return step.run_job("child", child, None)
"""
HELD = """
    def held():
        effect(f"held {os.getpid()}")
        while not os.path.exists("go"):
            time.sleep(0.02)

    @define_job
    def work(step: Step) -> None:
        step.run("before", effect, "before")
        step.run("held", held)
        step.run("behind", effect, "behind")
"""


def test_a_parent_whose_child_is_tried_again_holds_no_slot_for_it(worked: WorkedProject) -> None:
    worked.job(PARENT)
    worked.work(1)
    worked.run("trigger", "parent", expect=1)
    (worked.root / "mended").touch()
    assert worked.run("resume", "@last/parent").out == '"child"\n'
    assert worked.effects == ["child"]


def test_what_is_decided_of_a_run_whose_worker_has_died_counts(worked: WorkedProject) -> None:
    worked.job(HELD)
    worker = worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.wait_for_effects(2)
    worker.kill()
    with worked.start("resume", run, "--done", "held") as resumed:
        time.sleep(1)
        worked.work(1)
        assert resumed.result().code == 0
    assert [line.split()[0] for line in worked.effects] == ["before", "held", "behind"]


def test_a_cancel_that_came_too_late_cancels_no_later_attempt(worked: WorkedProject) -> None:
    worked.job(
        """
        def fails():
            effect("tried")
            while not os.path.exists("go"):
                time.sleep(0.02)
            if not os.path.exists("mended"):
                raise RuntimeError("not mended")

        @define_job
        def work(step: Step) -> None:
            step.run("fails", fails)
        """
    )
    worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.wait_for_effects(1)
    with psycopg.connect(worked.env["DURABLY_DATABASE_URL"], autocommit=True) as session:
        (worked.root / "go").touch()
        worked.run("wait", run, expect=1)
        session.execute(
            "insert into durably.cancels values (%s, 'ann', '2026-11-29T00:00:00Z', 'late')", [run]
        )
    (worked.root / "mended").touch()
    worked.run("resume", run)
    assert worked.inspect(run)["status"] == "completed"


def test_a_worker_that_starts_with_fewer_slots_takes_none_from_others(
    worked: WorkedProject,
) -> None:
    worked.job(HELD)
    worked.work(3)
    one = worked.work(1)
    one.send(signal.SIGTERM)
    assert one.process.wait(60) == 0
    for _ in range(3):
        worked.run("trigger", "work", "--detach")
    deadline = time.monotonic() + 60
    while sum(line.startswith("held") for line in worked.effects) < 3:
        assert time.monotonic() < deadline, worked.effects
        time.sleep(0.05)
    (worked.root / "go").touch()
    worked.run("wait", *(run["id"] for run in worked.runs()))


def test_a_process_that_a_step_has_forked_keeps_no_dead_worker_alive(
    worked: WorkedProject,
) -> None:
    worked.job(
        """
        def forks():
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            effect(f"forked {pid}")
            while not os.path.exists("go"):
                time.sleep(0.02)

        @define_job
        def work(step: Step) -> None:
            step.run("forks", forks)
        """
    )
    first = worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.wait_for_effects(1)
    left = int(worked.effects[0].split()[1])
    first.kill()
    try:
        worked.work(1)
        worked.wait_for_effects(2)
        assert len(worked.inspect(run)["attempts"]) == 2
    finally:
        os.kill(left, signal.SIGKILL)
        (worked.root / "go").touch()
    os.kill(int(worked.effects[1].split()[1]), signal.SIGKILL)


def test_a_ctrl_c_that_a_job_raises_interrupts_its_run(worked: WorkedProject) -> None:
    worked.job(
        """
        def stops():
            raise KeyboardInterrupt

        @define_job
        def work(step: Step, *, stop: bool = False) -> int:
            step.run("one", effect, "one")
            if stop:
                step.run("stops", stops)
            return 1
        """
    )
    worked.work(1)
    worked.run("trigger", "work", "--stop", expect=75)
    assert worked.runs()[0]["status"] == "interrupted"
    assert worked.run("trigger", "work").out == "1\n", "the worker goes on"


def test_a_fork_of_a_handler_ends_and_does_not_go_on_as_a_worker(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step) -> int:
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                step.run("of the parent", effect, "parent")
            return 1
        """
    )
    worked.work(1)
    assert worked.run("trigger", "work").out == "1\n"
    assert worked.effects == ["parent"]
    assert worked.run("trigger", "work").out == "1\n"


def test_workers_that_are_stopped_while_they_wake_runs_repeat_nothing(
    worked: WorkedProject,
) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step, *, number: int) -> None:
            step.run("before", effect, f"before {number}")
            step.wait_signal("go", bool)
            for each in range(3):
                step.run(f"s{each}", effect, f"s{each} {number}")
        """
    )
    slow, other = worked.work(4), worked.work(4)
    for number in range(12):
        worked.run("trigger", "work", "--number", str(number), "--detach")
    worked.wait_for_effects(12)
    while {run["status"] for run in worked.runs()} != {"waiting"}:
        time.sleep(0.1)
    runs = [run["id"] for run in worked.runs()]
    for number, run in enumerate(runs):
        worked.run("signal", run, "go", "-i", "true")
        if number == 6:
            slow.send(signal.SIGSTOP)
    time.sleep(3)
    slow.send(signal.SIGCONT)
    worked.run("wait", *runs)
    assert other.process.poll() is None
    assert set(Counter(worked.effects).values()) == {1}
    assert len(worked.effects) == 12 * 4


def test_a_transaction_whose_connection_is_lost_commits_no_half(database_url: str) -> None:
    database = RunDatabase(database_url, "trial", patient=True)
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("create table if not exists halves (run text, half int)")
        with pytest.raises(Unreachable), database.transaction():
            database.change("insert into halves values ('a', 1)")
            pid = database.row("select pg_backend_pid()")
            assert pid is not None
            session.execute("select pg_terminate_backend(%s)", [pid[0]])
            time.sleep(0.2)
            database.change("insert into halves values ('a', 2)")
        tries = []

        def both() -> None:
            database.change("insert into halves values ('b', 1)")
            pid = database.row("select pg_backend_pid()")
            if pid and not tries:
                tries.append(pid)
                session.execute("select pg_terminate_backend(%s)", pid)
                time.sleep(0.2)
            database.change("insert into halves values ('b', 2)")

        database.whole(both)
        found = session.execute("select run, half from halves order by run, half").fetchall()
        session.execute("drop table halves")
    database.close()
    assert found == [("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@localhost/runs?sslpassword=s3cret",
        "host=localhost user=ann password='my s3cret'",
        "host=localhost password = s3cret user=ann",
    ],
)
def test_what_is_secret_in_a_url_is_not_shown(url: str) -> None:
    assert "s3cret" not in masked(url)
    assert "ann" in masked(url) and "localhost" in masked(url)


def test_a_role_that_may_not_is_told_what_to_grant(worked: WorkedProject) -> None:
    worked.job(HELD)
    with psycopg.connect(worked.env["DURABLY_DATABASE_URL"], autocommit=True) as session:
        session.execute("drop role if exists looker")
        session.execute("create role looker login")
        try:
            url = worked.env["DURABLY_DATABASE_URL"].replace("user=durably", "user=looker")
            worked.env["DURABLY_DATABASE_URL"] = url
            refused = json.loads(worked.run("list", "--json", expect=77).out)["error"]
            assert "grant select" in refused["hint"]
            schemas = "schema dbos, durably"
            session.execute(f"grant usage on {schemas} to looker")
            session.execute(f"grant select on all tables in {schemas} to looker")
            assert worked.runs() == []
            worked.run("trigger", "work", "--detach", expect=77)
        finally:
            session.execute("drop owned by looker")
            session.execute("drop role looker")


def test_a_key_that_the_database_knows_is_not_carried_to_it(worked: WorkedProject) -> None:
    worked.job(HELD)
    (worked.root / "go").touch()
    key = ("trigger", "work", "--idempotency-key", "today")
    worked.run(*key, env={**worked.env, "DURABLY_ENGINE": "local"})
    worked.work(1)
    worked.run(*key)
    assert "of the last day" not in worked.run("engine", "init").err
    said = worked.run("engine", "init", "--carry-keys").err
    assert "0 idempotency keys of this machine carried; the database knows 1 already" in said
    worked.run(*key)


def test_a_run_that_nobody_goes_on_with_is_cancelled(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step) -> None:
            step.run("a", effect, "a")
            raise KeyboardInterrupt
        """
    )
    worked.work(1)
    worked.run("trigger", "work", expect=75)
    worked.run("cancel", "@last", "--timeout", "60s")
    assert worked.runs()[0]["status"] == "cancelled"


def test_what_cron_needs_besides_is_said(worked: WorkedProject) -> None:
    worked.job(HELD)
    said = worked.run("schedule", "work", "0 3 * * *")
    assert "DURABLY_DATABASE_URL" in said.err
    assert worked.env["DURABLY_DATABASE_URL"] not in said.out
    refused = worked.run("schedule", "--tick", expect=2)
    assert "workers do what tick does" in refused.err
    hinted = worked.run("repair", "@last", expect=2).err
    assert "DURABLY_ENGINE=local durably repair @last" in hinted


def test_a_folder_without_jobs_triggers_what_a_worker_has(worked: WorkedProject) -> None:
    worked.job(HELD)
    (worked.root / "go").touch()
    worked.work(1)
    other = worked.root.parent / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text((worked.root / "pyproject.toml").read_text())
    worked.run("trigger", "work", cwd=other)
    assert worked.effects[-1] == "behind"


def test_who_is_let_in_by_no_password_is_told_so(worked: WorkedProject) -> None:
    worked.job(HELD)
    worked.env["DURABLY_DATABASE_URL"] += " user=nobody_of_that_name"
    refused = worked.run("list", expect=78).err
    assert 'role "nobody_of_that_name" does not exist' in refused
    worked.env["DURABLY_DATABASE_URL"] = "postgresql://ann@localhost:1/runs"
    assert "refused" in worked.run("list", expect=69).err


def test_names_and_keys_may_be_anything_and_end_no_worker(worked: WorkedProject) -> None:
    worked.job(
        """
        import random, string
        long = "".join(random.Random(1).choices(string.ascii_letters, k=12_000))

        @define_job
        def work(step: Step) -> int:
            step.run("na\\0me", effect, "nul")
            step.run(long, effect, "long")
            return step.wait_signal(long + "s", int, timeout=1, default=0)
        """
    )
    worker = worked.work(1)
    assert worked.run("trigger", "work").out == "0\n"
    assert worked.effects == ["nul", "long"]
    assert len(worked.inspect()["attempts"]) == 2, "one for the wait"
    worked.run("trigger", "work", "--idempotency-key", "x" * 12_000, expect=2)
    worked.run("trigger", "work", "--concurrency-key", "x" * 12_000, expect=2)
    assert worker.process.poll() is None


def test_tables_that_cannot_be_made_are_said(worked: WorkedProject) -> None:
    worked.job(HELD)
    worked.env["DURABLY_DATABASE_URL"] += " options=-cdefault_transaction_read_only=on"
    with psycopg.connect(
        worked.env["DURABLY_DATABASE_URL"].split(" options")[0], autocommit=True
    ) as session:
        session.execute("create database empty_one")
        try:
            url = worked.env["DURABLY_DATABASE_URL"].replace("dbname=postgres", "dbname=empty_one")
            worked.env["DURABLY_DATABASE_URL"] = url
            refused = worked.run("engine", "init", expect=None)
            assert refused.code in (69, 77), refused
            assert "bug in durably" not in refused.err and "Traceback" not in refused.err
        finally:
            session.execute("drop database empty_one with (force)")
