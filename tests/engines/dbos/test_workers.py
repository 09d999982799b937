"""Workers that die, stop, are drained or are not there: the effects say what was done how often."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.engines.jobs import FAILS_UNTIL_MENDED
from tests.harness.postgresql import NONE_HERE, own_server
from tests.harness.workers import Worked, WorkedProject, prepared

LONG = """
    @define_job
    def work(step: Step, *, n: int = 30) -> int:
        for i in range(n):
            step.run(f"s{i}", lambda: effect(f"{i} {os.getpid()}") and time.sleep(0.05))
        return n
"""


def times_done(project: Project) -> Counter[str]:
    """How often each step was executed."""
    return Counter(line.split()[0] for line in project.effects)


def owner(project: Project, *workers: Worked) -> Worked:
    """The worker that is at the run."""
    pid = int(project.effects[-1].split()[1])
    return next(each for each in workers if each.pid == pid)


def test_the_run_of_a_killed_worker_is_taken_up_and_no_acknowledged_step_runs_again(
    worked: WorkedProject,
) -> None:
    worked.job(LONG)
    workers = [worked.work(1) for _ in range(3)]
    with worked.start("trigger", "work") as waiting:
        for _ in range(2):
            worked.wait_for_effects(len(worked.effects) + 3)
            victim = owner(worked, *workers)
            victim.kill()
            before = len(worked.effects)
            worked.wait_for_effects(before + 1)
            assert owner(worked, *workers) is not victim
        result = waiting.result()
    assert (result.code, result.out) == (0, "30\n"), result
    done = times_done(worked)
    assert len(done) == 30
    assert sum(done.values()) - 30 <= 2, "but for those in flight at the kills"
    attempts = worked.inspect()["attempts"]
    assert [each["outcome"] for each in attempts][-1] == "completed"
    assert len(attempts) == 3


def test_a_drained_worker_leaves_its_runs_to_others_behind_the_step_that_it_is_in(
    worked: WorkedProject,
) -> None:
    worked.job(LONG)
    one = worked.work(1)
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.wait_for_effects(4)
    one.send(signal.SIGTERM)
    assert one.process.wait(60) == 0, one.said.read_text()
    assert worked.inspect(run)["attempts"][-1]["outcome"] == "SIGTERM"
    assert "\t" + "gone" not in worked.run("engine", "status").out
    worked.work(1)
    assert worked.run("wait", run).out == "30\n"
    assert times_done(worked) == Counter({str(n): 1 for n in range(30)})


def test_a_stopped_worker_keeps_its_run(worked: WorkedProject) -> None:
    worked.job(LONG)
    one, other = worked.work(1), worked.work(1)
    with worked.start("trigger", "work") as waiting:
        worked.wait_for_effects(4)
        stopped = owner(worked, one, other)
        stopped.send(signal.SIGSTOP)
        time.sleep(3)
        before = len(worked.effects)
        stopped.send(signal.SIGCONT)
        assert waiting.result().code == 0
    assert before <= 6
    assert times_done(worked) == Counter({str(n): 1 for n in range(30)})
    assert len(worked.inspect()["attempts"]) == 1


def test_one_key_of_many_processes_is_one_run(worked: WorkedProject) -> None:
    worked.job(LONG)
    worked.work(2)
    key = ("trigger", "work", "--n", "3", "--idempotency-key", "today")
    started = [worked.start(*key) for _ in range(8)]
    assert [each.result().out for each in started] == ["3\n"] * 8
    assert len(worked.runs()) == 1
    assert times_done(worked) == Counter("012")


def test_a_server_that_is_restarted_loses_no_acknowledged_step(tmp_path: Path) -> None:
    with own_server() as server:
        if server is None:
            pytest.skip(NONE_HERE)
        with prepared(server.url) as url:
            project = WorkedProject(tmp_path, url)
            try:
                project.job(LONG)
                worker = project.work(1)
                run = project.run("trigger", "work", "--detach").out.strip()
                project.wait_for_effects(5)
                server.stop()
                project.run("list", expect=69)
                server.start()
                waited = project.run("wait", run, "--timeout", "90s", expect=None)
                assert waited.out == "30\n", (waited, worker.said.read_text())
                done = times_done(project)
                assert len(done) == 30 and sum(done.values()) <= 32
            finally:
                project.end()


def test_without_a_worker_a_run_waits_and_that_is_said(worked: WorkedProject) -> None:
    worked.job(LONG)
    with worked.start("trigger", "work", "--n", "1") as waiting:
        assert waiting.stderr is not None
        assert "no worker has the job work" in waiting.stderr.readline()
        assert worked.runs()[0]["status"] == "pending"
        assert worked.runs()[0]["reason"] == "no worker has the job work"
        stopped = worked.run("wait", "@last", "--timeout", "1s", expect=124)
        assert "which is queued: no worker has the job work" in stopped.err
        assert "is still pending: no worker has the job work" in stopped.err
        worked.work()
        assert waiting.result().code == 0


def test_a_failed_run_that_waits_for_a_worker_says_so_and_not_why_it_had_failed(
    worked: WorkedProject,
) -> None:
    worked.job(FAILS_UNTIL_MENDED)
    worker = worked.work()
    worked.run("trigger", "work", expect=1)
    worker.send(signal.SIGTERM)
    worker.process.wait()
    (worked.root / "mended").touch()
    with worked.start("resume", "@last") as waiting:
        assert waiting.stderr is not None
        assert "no worker has the job work" in waiting.stderr.readline()
        assert worked.runs()[0]["reason"] == "no worker has the job work"
        assert worked.inspect("@last")["status"] == "pending"
        worked.work()
        assert waiting.result().code == 0


def test_who_waits_for_the_run_of_a_worker_that_dies_waits_for_the_next_one(
    worked: WorkedProject,
) -> None:
    worked.job(LONG)
    worker = worked.work()
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.wait_for_effects(3)
    with worked.start("wait", run) as waiting:
        assert waiting.stderr is not None
        assert "which another process executes" in waiting.stderr.readline()
        worker.send(signal.SIGKILL)
        assert "no worker has the job work" in waiting.stderr.readline()
        late = worked.run("wait", run, "--timeout", "0s", expect=124)
        assert "is still interrupted: " in late.err and "no worker has the job work" in late.err
        worked.work()
        assert waiting.result().out == "30\n"


def test_quiet_is_one_report_of_a_failure(worked: WorkedProject) -> None:
    worked.job(FAILS_UNTIL_MENDED)
    worked.work()
    failed = worked.run("trigger", "work", "-q", expect=1)
    run = worked.runs()[0]["id"]
    assert failed.err.startswith(f"run {run[-8:]} of work failed in step bad\n"), failed
    assert "RuntimeError: not mended" in failed.err and "nothing was executed" not in failed.err


def test_durably_test_leaves_the_database_in_peace(worked: WorkedProject) -> None:
    worked.job("""
        @define_job
        def work(step: Step) -> int:
            return step.run("one", int)
    """)
    assert "held" in worked.run("test", "work", "--crash-everywhere").err
    assert worked.runs() == []


def test_a_worker_of_no_jobs_is_refused(worked: WorkedProject) -> None:
    (worked.root / "jobs").mkdir(exist_ok=True)
    assert "there is no job in" in worked.run("worker", expect=78).err


def test_a_queued_run_is_cancelled_at_once_without_a_worker(worked: WorkedProject) -> None:
    worked.job(LONG)
    run = worked.run("trigger", "work", "--detach").out.strip()
    worked.run("cancel", run, "--reason", "never")
    assert worked.runs()[0]["reason"].endswith("never")
    worked.work()
    worked.run("wait", run, expect=3)
    assert worked.effects == []


def test_a_job_that_this_machine_has_not_is_triggered(worked: WorkedProject) -> None:
    path = worked.job(LONG)
    worked.work()
    path.unlink()
    assert worked.run("trigger", "work", "-i", '{"n": 2}').out == "2\n"
    worked.run("trigger", "nothing", expect=4)


def test_status_shows_server_workers_and_queues(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step) -> int:
            return step.wait_signal("answer", int)
        """
    )
    worked.run("trigger", "work", "--detach")
    lines = [line.split("\t") for line in worked.run("engine", "status").out.splitlines()]
    assert [line[0] for line in lines] == ["server", "job"]
    assert lines[1][1:] == ["work", "1", "0", "0"]
    worker = worked.work()
    while worked.runs()[0]["status"] != "waiting":
        time.sleep(0.1)
    found = json.loads(worked.run("engine", "status", "--json").out)["engine"]
    (seen,) = found["workers"]
    assert (seen["alive"], seen["pid"], seen["jobs"]) == (True, worker.pid, ["work"])
    assert (seen["slots"], seen["runs"], found["project"]) == (2, 0, worked.name)
    assert found["jobs"] == [{"name": "work", "queued": 0, "running": 0, "waiting": 1}]
    worker.kill()
    assert "\tgone\t" in worked.run("engine", "status").out


@pytest.mark.parametrize("command", ["verify", "repair @last", "tick", "import pyproject.toml"])
def test_what_is_for_journals_is_refused(worked: WorkedProject, command: str) -> None:
    refused = worked.run(*command.split(), expect=2)
    assert "in a database" in refused.err


def test_the_url_is_not_shown(worked: WorkedProject) -> None:
    worked.env["DURABLY_DATABASE_URL"] = "postgresql://ann:s3cret@localhost:1/runs"
    unreachable = worked.run("list", expect=69)
    shown = worked.run("info").out + worked.run("info", "--json").out + unreachable.err
    assert "s3cret" not in shown
    assert "postgresql://ann@localhost:1/runs" in shown
    found = json.loads(worked.run("list", "--json", expect=69).out)["error"]
    assert (found["code"], found["exit"]) == ("unreachable", 69)


def test_what_a_run_waits_for_is_said_to_who_waits_for_it(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def work(step: Step) -> int:
            return step.wait_signal("answer", int, prompt="How many?")
        """
    )
    worked.work()
    with worked.start("trigger", "work") as waiting:
        assert waiting.stderr is not None
        said = [waiting.stderr.readline() for _ in range(3)]
        assert "How many?" in said[1] and " durably signal " in said[2], said
        worked.run("signal", "@last", "answer", "-i", "3")
        assert waiting.result().out == "3\n"


def test_a_run_that_waits_for_one_that_it_triggers_is_told_to_have_it_as_a_step(
    worked: WorkedProject,
) -> None:
    worked.job(
        """
        @define_job
        def below(step: Step) -> None: ...

        @define_job
        def work(step: Step) -> None:
            step.run("it", lambda: below.trigger() and None)
        """
    )
    worked.work(1)
    assert "step.run_job" in worked.run("trigger", "work", expect=1).err
