"""An acknowledged step is never executed again, unless a person asks for it, or a File is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from durably_cli import File, Step
from tests.conftest import Project
from tests.harness.attempts import Trial, World

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


def redone(step: Step, world: World) -> None:
    def fetch() -> int:
        world.do("fetch")
        return 2 if world.is_mended else 1

    step.run("before", world.do, "before")
    n = step.run("fetch", fetch)
    step.run("double", world.do, f"double-{n}")
    step.run("last", world.do, "last")
    raise ValueError("so that it can be resumed")


ONCE = ["before", "fetch", "double-1", "last"]


@pytest.mark.parametrize("is_another", [True, False])
def test_killed_behind_any_event_of_a_redo(tmp_path: Path, is_another: bool) -> None:
    """The redone step is executed once more, and what came after it if it gives something else."""
    for kill in range(2, 100):  # behind the first one, nothing says yet what is wanted
        trial = Trial(redone, tmp_path / str(kill))
        trial.begin()
        if is_another:
            trial.world.mend()
        is_whole = trial.resume(kill, redo=("fetch",))
        before, acknowledged = trial.world.effects, trial.completed[len(ONCE) :]
        trial.resume()
        again = ["fetch", "double-2", "last"] if is_another else ["fetch"]
        assert trial.world.effects == before + again[len(acknowledged) :], kill
        if is_whole:
            return


def vouched(step: Step, world: World) -> None:
    path = world.folder / "out"

    def write() -> File:
        path.write_text(world.do("write"))
        return File(path)

    step.run("before", world.do, "before")
    step.run("write", write)
    step.run("last", world.do, "last")
    raise ValueError("so that it can be resumed")


def test_killed_behind_any_event_of_a_step_whose_file_is_made_again(tmp_path: Path) -> None:
    for kill in range(1, 100):
        trial = Trial(vouched, tmp_path / str(kill))
        trial.begin()
        (trial.world.folder / "out").unlink()
        is_whole = trial.resume(kill)
        trial.resume()
        assert trial.world.effects == ["before", "write", "last", "write"]
        if is_whole:
            return
