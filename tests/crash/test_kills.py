"""SIGKILL at random moments, in all phases of a run, with others at hand who compete to resume it.

Nothing acknowledged runs again, one key stays one run, and every run comes to its end. How many
kills the campaign makes is DURABLY_KILLS, 2,000 if that is not set:

    DURABLY_KILLS=20000 pytest -m campaign tests/crash/test_kills.py
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.kills import FORTY_STEPS, PHASES, Contest
from tests.harness.warm import Warm

KILLS_A_RUN = 10
CAMPAIGN = int(os.environ.get("DURABLY_KILLS", "2000"))


def killed_runs(root: Path, seed: int, runs: int) -> Counter[str]:
    """How the kills of so many runs were spread, after all of them have come to their ends."""
    project = Project(root)
    project.job(FORTY_STEPS, "forty")
    with Warm(project) as warm:
        contest = Contest(project, warm, seed)
        for number in range(runs):
            contest.complete(f"{seed}-{number}", KILLS_A_RUN)
    found = project.runs()
    assert len(found) == runs, "one run a key, however often it was triggered"
    assert {run["status"] for run in found} == {"completed"}
    project.run("verify")
    return contest.phases


def kill(tmp_path: Path, kills: int) -> Counter[str]:
    """So many kills in two projects side by side; how they were spread."""
    seed, share = time.time_ns(), kills // KILLS_A_RUN // 2
    with ThreadPoolExecutor(2) as pool:
        halves = [
            pool.submit(killed_runs, tmp_path / f"half-{n}", seed + n, share) for n in range(2)
        ]
    phases = sum((half.result() for half in halves), Counter[str]())
    assert phases.total() >= kills
    for phase in PHASES:
        assert phases[phase], f"no kills {phase}: {phases}"
    return phases


def test_runs_killed_at_random_moments_execute_no_acknowledged_step_again(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(kill(tmp_path, 120).total())


@pytest.mark.campaign
def test_runs_killed_at_thousands_of_random_moments(
    tmp_path: Path, count: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    phases = kill(tmp_path, CAMPAIGN)
    with capsys.disabled():
        print("", *(f"{phases[phase]:10,}  kills {phase}" for phase in PHASES), sep="\n")
    count(phases.total())
