"""A step is called at most once more than its tries were interrupted in flight."""

from __future__ import annotations

import pytest

from tests.conftest import Project

JOB = """
@define_job
def slow(step: Step, payload: dict) -> None:
    step.run("slow", work)

def work() -> None:
    effect("called")
    time.sleep(float(os.environ.get("SECONDS", "60")))
"""


@pytest.mark.parametrize("kills", [0, 2])
def test_however_often_it_is_killed(project: Project, kills: int) -> None:
    project.job(JOB)
    words = ("trigger", "slow")
    for kill in range(kills):
        with project.start(*words) as process:
            project.wait_for_effects(kill + 1)
            process.kill()
        words = ("resume", "@last")
    project.run(*words, env=project.env | {"SECONDS": "0"})
    assert project.effects == ["called"] * (kills + 1)
