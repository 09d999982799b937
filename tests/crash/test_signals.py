"""INT, TERM and HUP at every call of the write path: the run stops there, or ends, and goes on."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.kills import FORTY_STEPS, check_forty
from tests.harness.warm import Warm

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STEPS = 3


def stop_at(project: Project, warm: Warm, number: int, call: int) -> bool:
    """One run that gets a signal at this call, and goes on; False if it makes not so many calls."""
    project.effects_path.unlink(missing_ok=True)
    key = f"{number} at {call}"
    begin = "trigger", "forty", "-p", f"steps:={STEPS}", "--idempotency-key", key
    begin = *begin, "--concurrency-key", "one at a time"
    stopped = warm.start(*begin, signal_at=(number, call)).result()
    place = f"{signal.Signals(number).name} at call {call}: {stopped}"
    assert stopped.code in (0, 128 + number, -number), place
    assert "a bug in durably" not in stopped.err and "Traceback" not in stopped.err, place
    if stopped.code == 128 + number and project.effects:
        assert "durably resume" in stopped.err, place
    if stopped.code == 0:
        assert len(project.effects) == 2 * STEPS, place
    done = warm.run(*begin)
    check_forty(project.effects, json.loads(done.out), STEPS)
    executions = sum(line.startswith("run ") for line in project.effects)
    assert executions <= STEPS + 1, f"{place}\nexecuted again, and was not in flight"
    return "stopping" in stopped.err or stopped.code != 0


def stop_everywhere(tmp_path: Path, chosen: Callable[[int], tuple[int, ...]]) -> int:
    """Runs that get the chosen signals at each call of theirs; how many signals there were."""

    def try_share(worker: int) -> int:
        project = Project(tmp_path / f"worker-{worker}")
        project.job(FORTY_STEPS, "forty")
        sent = missed = 0
        with Warm(project) as warm:
            warm.run("trigger", "forty", "-p", f"steps:={STEPS}")
            for call in range(1 + worker, 1000, 2):
                for number in chosen(call):
                    was_met = stop_at(project, warm, number, call)
                    sent += was_met
                    missed = 0 if was_met else missed + 1
                if missed > 12:  # the last calls are made when nothing listens any more
                    break
            project.run("verify")
        assert {run["status"] for run in project.runs()} == {"completed"}
        return sent

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(try_share, range(2)))


def test_a_signal_at_each_call_stops_the_run_which_goes_on(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    sent = stop_everywhere(tmp_path, lambda _: (random.choice(SIGNALS),))
    assert sent > 40
    count(sent)


@pytest.mark.campaign
def test_each_signal_at_each_call_stops_the_run_which_goes_on(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    sent = stop_everywhere(tmp_path, lambda _: SIGNALS)
    assert sent > 120
    count(sent)
