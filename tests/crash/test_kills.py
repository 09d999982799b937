"""SIGKILL at random moments of runs, with others at hand who compete to resume them.

Nothing acknowledged runs again, one key stays one run, and every run comes to its end. How many
kills the campaign makes is DURABLY_KILLS, 2,000 if that is not set:

    DURABLY_KILLS=20000 pytest -m campaign tests/crash/test_kills.py
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.harness.kills import contest

KILLS_A_RUN = 10
CAMPAIGN = int(os.environ.get("DURABLY_KILLS", "2000"))


def kill(project: Project, kills: int) -> int:
    """So many kills, and after them all runs have come to their ends."""
    runs, seed = kills // KILLS_A_RUN, time.time_ns()
    print(f"seed {seed}")
    for number in range(runs):
        contest(project, f"{number}", KILLS_A_RUN, random.Random(seed + number))
    found = project.runs()
    assert len(found) == runs, "one run a key, however often it was triggered"
    assert {run["status"] for run in found} == {"completed"}
    project.run("verify")
    return kills


def test_runs_killed_at_random_moments_execute_no_acknowledged_step_again(
    forty: Project, count: Callable[[int], None]
) -> None:
    count(kill(forty, 80))


@pytest.mark.campaign
@pytest.mark.parametrize("half", [1, 2])
def test_runs_killed_at_thousands_of_random_moments(
    half: int, forty: Project, count: Callable[[int], None]
) -> None:
    count(kill(forty, CAMPAIGN // 2))
