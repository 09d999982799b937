"""A step is called at most once more than its tries were interrupted; one that stops, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from durably_cli import NotDone, Step
from durably_cli.journal.state import Status
from tests.conftest import Project
from tests.harness.attempts import Trial, World
from tests.harness.quick import drawn, some_or_all

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


def stops(step: Step, world: World) -> None:
    step.run("number", lambda: world.do(f"number-{len(world.effects)}"))
    step.run("pay", world.do, "pay", in_doubt="stop")
    step.run("after", world.do, "after")
    raise ValueError("so that it can be resumed")


def looks(step: Step, world: World) -> None:
    def look(name: str) -> str:
        if name not in world.effects:
            raise NotDone
        return name

    step.run("number", world.do, "number")
    step.run("pay", world.do, "pay", in_doubt=look)
    step.run("after", world.do, "after")


def pays_twice(world: World) -> bool:
    return world.effects.count("pay") > 1


def kills_of(folder: Path) -> Iterator[int]:
    """Behind which events and effects of a first attempt it can be killed; the last is its end."""
    for number in range(1, 100):
        yield number
        if Trial(stops, folder / f"to {number}", effects_count=True).begin(number):
            return


FOLLOW_UPS = ("resume", "redo", "fork")


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
def test_one_that_stops_is_never_called_again_unasked_wherever_it_is_killed(
    tmp_path: Path, follow_up: str
) -> None:
    """With every follow-up: another result of the step before it, and a fork, ask for nothing."""
    for number in kills_of(tmp_path):
        trial = Trial(stops, tmp_path / str(number), effects_count=True)
        trial.begin(number)
        if follow_up == "fork":
            trial.resume()  # to an end, behind which there can be a fork
        for _ in range(2):
            redo = ("number",) if "number" in trial.completed and follow_up != "resume" else ()
            trial.fork(redo) if follow_up == "fork" else trial.resume(redo=redo)
            assert not pays_twice(trial.world), number


def test_one_that_stops_is_called_again_when_somebody_says_so(tmp_path: Path) -> None:
    trial = Trial(stops, tmp_path)
    trial.begin()
    trial.resume(redo=("pay",))
    assert pays_twice(trial.world)


def test_what_a_function_looks_for_happens_once_wherever_it_is_killed(tmp_path: Path) -> None:
    """If it says the truth."""
    for number in range(1, 100):
        trial = Trial(looks, tmp_path / f"{number}", effects_count=True)
        is_whole = trial.begin(number)
        if not is_whole:
            trial.resume()
        check_paid_once(trial, number)
        if is_whole:
            return


@some_or_all(3)
def test_so_it_does_if_the_next_attempt_is_killed_too(tmp_path: Path, every: int) -> None:
    for first in range(1, 100):
        for second in drawn(every):
            trial = Trial(looks, tmp_path / f"{first} {second}", effects_count=True)
            is_whole = trial.begin(first)
            is_resumed = is_whole or trial.resume(second)
            if not is_resumed:
                trial.resume()
            check_paid_once(trial, (first, second))
            if is_resumed:
                break
        if is_whole:
            return


def check_paid_once(trial: Trial, killed_at: object) -> None:
    assert trial.world.effects.count("pay") == 1, killed_at
    assert trial.status is Status.COMPLETED
