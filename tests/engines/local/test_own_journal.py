"""A run whose steps give up what its process had: it has completed, and ends so."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import Project

JOB = """
import resource

@define_job
def gives_up(step: Step, payload: dict) -> int:
    {what}
    return step.run("after", lambda: 5)
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
GIVEN_UP = [
    pytest.param("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", id="files"),
    pytest.param("os.setgid(65534); os.setuid(65534)", id="user", marks=AS_ROOT),
    pytest.param("os.chroot('jobs')", id="root", marks=AS_ROOT),
]


@pytest.mark.parametrize("what", GIVEN_UP)
def test_a_completed_run_ends_with_0_and_its_output(project: Project, what: str) -> None:
    project.job(JOB.format(what=f'step.run("give up", lambda: (exec({what!r}), 1)[1])'))
    done = project.run("trigger", "gives-up")
    assert done.out == "5\n"
    assert "2 steps run" in done.err
    assert project.run("trigger", "gives-up", "-q").err == ""
    said = json.loads(project.run("trigger", "gives-up", "--json").out)["run"]
    assert (said["status"], said["output"], said["imported"]) == ("completed", 5, False)


def test_of_a_run_from_python_too(project: Project) -> None:
    what = "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"
    project.job(JOB.format(what=what))
    code = "from jobs.work import gives_up; print(gives_up.trigger({}).output)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.env, capture_output=True
    )
    assert done.stdout == b"5\n", done


def test_a_resumed_run_too_with_its_large_results(project: Project) -> None:
    project.job(
        JOB.format(
            what="""step.run("large", lambda: "x" * 100_000)
    if step.attempt == 1: raise ValueError
    os.chroot("jobs") if os.geteuid() == 0 else None"""
        )
    )
    project.run("trigger", "gives-up", expect=1)
    done = project.run("resume", "@last")
    assert done.out == "5\n"
    assert "1 step replayed" in done.err
