"""`durably wait`: the ends of runs that other processes execute."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.conftest import Project, Started
from tests.harness.pasting import hint_of, paste
from tests.harness.waiting_job import WAITING

JOB = """
@define_job
def work(step: Step, payload: Input) -> int:
    step.run("one", effect, "begun")
    return wait_for_file(step, payload)
"""


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(WAITING + JOB)
    return project


def held(project: Project, *args: str) -> Started:
    """A run that another process executes until there is a file `end`."""
    before = len(project.effects)
    process = project.start("trigger", "work", "--until", "end", *args)
    project.wait_for_effects(before + 1)
    return process


def test_a_run_that_is_executed_gives_its_output_and_exit_code_when_it_ends(
    worked: Project,
) -> None:
    for fail, code in (("--no-fail", 0), ("--fail", 1)):
        with held(worked, fail) as run:
            with worked.start("wait", "@last") as waiting:
                assert waiting.stderr is not None
                said = waiting.stderr.readline()
                assert f"which another process executes (pid {run.pid} on " in said
                (worked.root / "end").touch()
                out, err = waiting.communicate(timeout=60)
            (worked.root / "end").unlink()
        assert waiting.returncode == run.returncode == code
        assert out == ("1\n" if code == 0 else "")
    assert "ZeroDivisionError" in err
    assert " resume " in err
    again = worked.run("wait", "@last", "--json", expect=1)
    document = json.loads(again.out)
    assert document["error"]["code"] == "run-failed"
    assert document["run"]["id"] == document["error"]["run"]
    assert worked.effects == ["begun"] * 2, "nothing is executed"


def test_several_have_a_line_each_and_the_first_code_that_is_not_0(worked: Project) -> None:
    keys = [f"key:work/{name}" for name in "abc"]
    worked.run("trigger", "work", "--idempotency-key", "a")
    worked.run("trigger", "work", "--idempotency-key", "b", "--fail", expect=1)
    with held(worked, "--idempotency-key", "c") as run:
        late = worked.run("wait", *keys, "--timeout", "0.1s", expect=1)
        first = worked.run("wait", keys[2], keys[1], "--timeout", "0", "--json", expect=124)
        os.kill(run.pid, signal.SIGKILL)
    statuses = [line.split("\t")[2] for line in late.out.splitlines()]
    assert statuses == ["completed", "failed", "running"]
    document = json.loads(first.out)
    assert [run["exit"] for run in document["runs"]] == [124, 1]
    assert document["error"]["code"] == "timed-out"
    assert document["error"]["run"] == document["runs"][0]["id"]
    assert worked.run("wait", keys[0], keys[2], expect=75).out.count("\n") == 2
    assert worked.run("wait", keys[0], keys[0]).out == "1\n", "one run twice is one run"


def test_a_run_that_nobody_executes_is_not_waited_for(worked: Project) -> None:
    with held(worked) as run:
        os.kill(run.pid, signal.SIGKILL)
    (worked.root / "jobs" / "work.py").rename(worked.root / "work")  # no job is imported
    alone = worked.run("wait", "@last", expect=75)
    assert "no process goes on with it" in alone.err
    assert json.loads(worked.run("wait", "@last", "--json", expect=75).out)["next"]
    (worked.root / "work").rename(worked.root / "jobs" / "work.py")
    (worked.root / "end").touch()
    assert paste(worked, hint_of(alone), worked.root).code == 0
    assert worked.run("wait", "@last").out == "1\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_not_the_run(worked: Project, number: int) -> None:
    with held(worked) as run:
        with worked.start("wait", "@last", "--json") as waiting:
            assert waiting.stderr is not None
            waiting.stderr.readline()
            os.kill(waiting.pid, number)
            out, err = waiting.communicate(timeout=60)
        (worked.root / "end").touch()
        run.communicate(timeout=60)
    assert waiting.returncode == 128 + number
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert "no run was stopped by that" in err
    assert run.returncode == 0


def test_what_cannot_be_waited_for_is_an_error_before_any_wait(worked: Project) -> None:
    with held(worked) as run:
        worked.run("wait", "@last", "ffff", expect=4)
        assert "it reads 90s" in worked.run("wait", "@last", "--timeout", "soon", expect=2).err
        assert "  RUN..." not in worked.run("wait", expect=2).err
        (worked.root / "end").touch()
        run.communicate(timeout=60)
    path = worked.journal()
    path.write_bytes(path.read_bytes().replace(b'"begun"', b'"bogun"'))
    worked.run("wait", "@last", expect=74)
    document = json.loads(worked.run("wait", "@last", "@last", "--json", expect=74).out)
    assert document["error"]["code"] == "journal-damaged"
