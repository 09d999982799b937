"""A run whose owner died can be resumed at once, or is refused as damaged."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Project

JOB = """
@define_job
def job(step: Step, payload: dict) -> int:
    step.run("one", effect, "one")
    step.run("two", work)
    return 2

def work() -> None:
    effect("two")
    time.sleep(float(os.environ.get("SECONDS", "60")))
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_however_it_died(project: Project, signum: int) -> None:
    project.job(JOB)
    with project.start("trigger", "job") as process:
        project.wait_for_effects(2)
        process.send_signal(signum)
        process.wait()
        assert project.runs()[0]["status"] == "interrupted"
        project.run("resume", "@last", env=project.env | {"SECONDS": "0"})
    assert project.effects == ["one", "two", "two"]
    assert project.runs()[0]["status"] == "completed"
