"""SIGKILL at random moments: nothing acknowledged runs again, and every run comes to its end."""

from __future__ import annotations

import json
import time

import pytest

from tests.conftest import Project
from tests.crash.conftest import Killer, check_forty


def complete_with_kills(project: Project, killer: Killer, key: str, kills: int) -> None:
    """Run `forty` under this key, killed so often on the way, resumed by competing processes."""
    wanted = killer.kills + kills
    begin = ("trigger", "forty", "--idempotency-key", key)
    while killer.kills < wanted:
        killer.kill_at_random(project.start(*begin))
        if killer.kills < wanted:
            competing = killer.random.randrange(1, 4)
            killer.kill_at_random(
                *(project.start("resume", f"key:forty/{key}") for _ in range(competing))
            )
    last = [project.start(*begin)]
    last += [project.start("resume", f"key:forty/{key}") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in last]
    assert last[0].returncode == 0, outputs
    output = json.loads(outputs[0][0])
    for process, (out, err) in zip(last, outputs, strict=True):
        assert process.returncode in (0, 4), err  # 4: before the trigger had made the run
        assert process.returncode == 4 or json.loads(out) == output
    check_forty(project.effects, output)


def many_kills(project: Project, seed: int, runs: int, kills_each: int) -> Killer:
    killer = Killer(project, seed)
    for number in range(runs):
        project.effects_path.unlink(missing_ok=True)
        complete_with_kills(project, killer, f"{seed}-{number}", kills_each)
    found = project.runs()
    assert len(found) == runs, "one run a key, however often it was triggered"
    assert {run["status"] for run in found} == {"completed"}
    return killer


def test_a_run_killed_at_200_random_moments_executes_no_acknowledged_step_again(
    forty: Project,
) -> None:
    killer = many_kills(forty, seed=time.time_ns(), runs=20, kills_each=10)
    assert killer.kills >= 200


@pytest.mark.campaign
def test_a_run_killed_at_2000_random_moments(forty: Project) -> None:
    assert many_kills(forty, seed=time.time_ns(), runs=200, kills_each=10).kills >= 2000
