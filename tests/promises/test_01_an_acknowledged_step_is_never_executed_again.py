"""An acknowledged step is never executed again, unless a person asks for it."""

from __future__ import annotations

import pytest

from tests.conftest import Project

JOB = """
@define_job
def steps(step: Step, payload: dict) -> None:
    for n in range(6):
        step.run(f"step {n}", effect, f"did {n}")
        effect(f"acknowledged {n}")
        time.sleep(0.01)
"""


@pytest.mark.parametrize("lines", (1, 4, 7, 10))
def test_killed_anywhere(project: Project, lines: int) -> None:
    project.job(JOB)
    with project.start("trigger", "steps") as process:
        project.wait_for_effects(lines)
        process.kill()
    before = project.effects
    project.run("resume", "@last")
    for line in before:
        if line.startswith("acknowledged"):
            assert project.effects.count(line.replace("acknowledged", "did")) == 1
    assert {f"did {n}" for n in range(6)} <= set(project.effects)
