"""One idempotency key gives one run."""

from __future__ import annotations

from tests.conftest import Project

JOB = """
@define_job
def once(step: Step, payload: dict) -> int:
    return step.run("work", lambda: int(bool(effect("worked"))))
"""
WORDS = ("trigger", "once", "--idempotency-key", "2026-11-27")


def test_whatever_races(project: Project) -> None:
    project.job(JOB)
    started = [project.start(*WORDS) for _ in range(8)]
    printed = {process.communicate(timeout=60)[0] for process in started}
    assert {process.returncode for process in started} == {0}
    assert printed == {"1\n"}
    assert project.effects == ["worked"]
    assert len(project.runs()) == 1


def test_whatever_crashes(project: Project) -> None:
    project.job(JOB.replace("effect", "(effect('began'), os.kill(os.getpid(), 9)) and effect"))
    project.run(*WORDS, expect=-9)
    project.job(JOB)
    project.run(*WORDS)
    assert project.effects == ["began", "worked"]
    assert len(project.runs()) == 1
