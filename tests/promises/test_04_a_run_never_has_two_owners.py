"""A run never has two owners; neither does a concurrency key."""

from __future__ import annotations

from itertools import pairwise

from tests.conftest import Project

JOB = """
@define_job
def shared(step: Step, payload: dict) -> None:
    step.run("work", work)

def work() -> None:
    effect(f"begin {os.getpid()}")
    time.sleep(0.05)
    effect(f"end {os.getpid()}")
"""


def check_nothing_overlaps(effects: list[str]) -> None:
    for begin, end in list(pairwise(effects))[::2]:
        assert begin.replace("begin", "end") == end


def test_of_many_that_resume_one_run_one_does(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "shared") as process:
        project.wait_for_effects(1)
        process.kill()
    project.effects_path.unlink()
    resuming = [project.start("resume", "@last") for _ in range(5)]
    for process in resuming:
        process.communicate(timeout=60)
    assert {process.returncode for process in resuming} <= {0, 75}
    assert len(project.effects) == 2


def test_runs_that_share_a_concurrency_key_take_turns(project: Project) -> None:
    project.job(JOB)
    words = ("trigger", "shared", "--concurrency-key", "k")
    started = [project.start(*words) for _ in range(4)]
    for process in started:
        process.communicate(timeout=60)
    assert {process.returncode for process in started} <= {0, 75}
    assert any(process.returncode == 0 for process in started)
    check_nothing_overlaps(project.effects)
