"""Processes that are killed, the file that says what they did, and how many faults there were."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project

_FAULTS = "faults"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is below this folder, so that one command runs it: `pytest -m crash`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.crash)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Say through how many faults a test has put the tool; they count if the test passes."""
    return lambda number: record_property(_FAULTS, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Through how many faults each part has put the tool; 0 for one that this machine cannot run."""
    counts, reasons = Counter[str](), dict[str, str]()
    for report in terminalreporter.getreports("passed"):
        for name, number in getattr(report, "user_properties", ()):
            if name == _FAULTS and report.when == "call":
                counts[_part_of(report.nodeid)] += number
    for report in terminalreporter.getreports("skipped"):
        if "tests/crash/" in report.nodeid:
            counts[_part_of(report.nodeid)] += 0
            reasons[_part_of(report.nodeid)] = str(report.longrepr[-1])
    if not counts:
        return
    terminalreporter.section("faults")
    for part, number in counts.items():
        why = f"  (not all of it could be run: {reasons[part]})" if part in reasons else ""
        terminalreporter.write_line(f"{number:10,}  {part}{why}")
    terminalreporter.write_line(f"{counts.total():10,}  in all")


def _part_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")


FORTY_STEPS = """
    import uuid

    @define_job(name="forty")
    def forty(step: Step, payload: dict) -> dict:
        tokens = []
        for n in range(40):
            token = step.run(f"step-{n}", once, n)
            effect(f"ack {n} {token}")
            tokens.append(token)
        return {"tokens": tokens}

    def once(n: int) -> str:
        token = uuid.uuid4().hex
        effect(f"run {n} {token}")
        time.sleep(0.001)
        return token
"""


@pytest.fixture
def forty(project: Project) -> Project:
    """A project whose job `forty` runs 40 steps.

    Its effects are `run <n> <token>` when a step executes, and `ack <n> <token>` when its result
    is handed to the job, in any attempt.
    """
    project.job(FORTY_STEPS, "forty")
    return project


class Killer:
    """Starts processes and kills them at moments spread over all phases of a run."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.kills = 0

    def kill_at_random(self, *processes: subprocess.Popen[str]) -> None:
        """SIGKILL them all: while they start, after some effect of this attempt, or at the end."""
        phase = self.random.random()
        if phase < 0.3:
            time.sleep(self.random.uniform(0, 0.35))
        else:
            self._wait_for_effects(self.random.randrange(1, 80), processes)
            time.sleep(self.random.uniform(0, 0.004))
        for process in processes:
            if process.poll() is None:
                self.kills += 1
                os.kill(process.pid, signal.SIGKILL)
        for process in processes:
            process.communicate()

    def _wait_for_effects(self, more: int, processes: tuple[subprocess.Popen[str], ...]) -> None:
        """Return when so many more effects are there, or a process has ended."""
        wanted = len(self.project.effects) + more
        while len(self.project.effects) < wanted:
            if any(process.poll() is not None for process in processes):
                return
            time.sleep(0.0005)


def check_forty(effects: list[str], output: dict[str, list[str]]) -> None:
    """No step ran after it was acknowledged, and every attempt was given the same results."""
    acknowledged: dict[str, str] = {}
    made: set[str] = set()
    for line in effects:
        what, n, token = line.split()
        if what == "run":
            assert n not in acknowledged, f"step {n} ran again after it was acknowledged"
            made.add(f"{n} {token}")
        else:
            assert f"{n} {token}" in made, f"step {n} gave a result that its function never made"
            assert acknowledged.setdefault(n, token) == token, f"step {n} was replayed differently"
    assert output["tokens"] == [acknowledged[str(n)] for n in range(40)]
