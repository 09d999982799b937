"""Processes that are killed, and the file that says what they did."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.conftest import Project

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
