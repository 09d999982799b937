"""Ticks over runs that wait in each way, while whatever is at work is killed at random moments.

How many seconds the campaign kills is DURABLY_TICK_SECONDS, 120 if that is not set:

    DURABLY_TICK_SECONDS=3600 pytest -m campaign tests/crash/test_ticks_under_kills.py
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.conftest import Project, Started
from tests.harness.processes import resuming

CAMPAIGN = float(os.environ.get("DURABLY_TICK_SECONDS", "120"))
KINDS = ("nap", "watch", "ask", "outer")

JOBS = """
    from durably import Approval

    class Of(BaseModel):
        n: int
        seconds: float
        file: str

    def act(step, name):
        step.run(name, slowly, step.run_id, name)

    def slowly(run, name):
        effect(f"{run} {name} {os.getpid()}")
        time.sleep(0.3)

    def found(file):
        return True if os.path.exists(file) else None

    @define_job
    def nap(step: Step, payload: Of) -> None:
        for n in range(3):
            act(step, f"s-{n}")
            step.sleep(f"nap-{n}", payload.seconds / 3)
        act(step, "s-3")

    @define_job
    def watch(step: Step, payload: Of) -> bool:
        act(step, "s-0")
        given = step.poll("file", found, payload.file, every=2)
        act(step, "s-1")
        return given

    @define_job
    def ask(step: Step, payload: Of) -> bool:
        act(step, "s-0")
        given = step.wait_signal("ok", Approval, prompt="Well?")
        act(step, "s-1")
        return given.approved

    @define_job
    def outer(step: Step, payload: Of) -> bool:
        act(step, "s-0")
        given = step.run_job("kid", ask, payload)
        act(step, "s-1")
        return given
"""


class Killed:
    """Runs of each kind, the ticks over them, who answers them, and who was killed."""

    def __init__(self, project: Project, each: int, seconds: float) -> None:
        self.project, self._seconds = project, seconds
        self._ticks = list[Started]()
        self.pids, self.acknowledged = set[int](), defaultdict[str, set[bool]](set)
        self._file = project.root / "there"
        for n in range(each):
            of = {"n": n, "seconds": random.uniform(3, seconds), "file": str(self._file)}
            for kind in KINDS:
                key = ("--idempotency-key", f"{n}")
                given = ("-i", json.dumps(of), *key, "--suspend")
                project.run("trigger", kind, *given, expect=75)
        self._to_ask = self._asking()

    def go_on(self) -> None:
        """Kill somebody now and then until the time is over; after that nobody."""
        ends = time.monotonic() + self._seconds
        while time.monotonic() < ends:
            living = [tick for tick in self._ticks if not tick.has_ended()]
            if len(living) < 2:
                self._ticks.append(self.project.start("tick", "--for", "20s"))
            if random.random() < 0.3:
                self._answer(random.choice(self._to_ask))
            time.sleep(random.uniform(0, 0.5))
            is_tick = random.random() < 0.15  # more often none would come to take anything up
            ticking = [tick.pid for tick in living if not tick.has_ended()]
            self._kill(ticking if is_tick else self._at_work())
        self._file.touch()
        ends = time.monotonic() + 600
        while not self._is_over():
            assert time.monotonic() < ends, self.project.runs()

    def _at_work(self) -> list[int]:
        """What ticks have begun; mostly only who was the last to begin a step, if that lives."""
        pids = resuming(self.project.root)
        last = [int(line.split()[-1]) for line in self.project.effects[-1:]]
        return last if set(last) <= set(pids) and random.random() < 0.8 else pids

    def _asking(self) -> list[str]:
        """The runs that have not completed and ask, by themselves or by a child."""
        return [
            run["id"]
            for run in self.project.runs()
            if run["job"] in ("ask", "outer") and not run["parent"] and run["status"] != "completed"
        ]

    def _answer(self, run: str) -> None:
        """Two say yes and no at once; either may be killed."""
        said = random.sample([True, False], 2)
        senders = [self.project.start("approve" if each else "deny", run) for each in said]
        if random.random() < 0.3:
            senders[0].has_ended(random.uniform(0, 0.1))
            self._kill([each.pid for each in senders if not each.has_ended()])
        for value, sender in zip(said, senders, strict=True):
            if sender.result().code == 0:
                self.acknowledged[run].add(value)

    def _kill(self, pids: list[int]) -> None:
        if pids:
            pid = random.choice(pids)
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                return
            self.pids.add(pid)

    def _is_over(self) -> bool:
        """Have all runs completed? Each is answered, and what was given up is resumed."""
        for run in self._asking():
            self._answer(run)
        for given_up in self.project.runs("--status", "interrupted"):
            if not given_up["parent"]:
                self.project.run("resume", given_up["id"], "--suspend", "-q", expect=None)
        self.project.run("tick", "--for", "3s", expect=None)
        return {run["status"] for run in self.project.runs()} == {"completed"}


def check_executions(project: Project, killed: set[int]) -> int:
    """Each step was executed once, and once more for a kill in it, but not behind the next one.

    How often that was.
    """
    again, of_runs = 0, defaultdict[str, list[tuple[str, int]]](list)
    for line in project.effects:
        run, step, pid = line.split()
        of_runs[run].append((step, int(pid)))
    for run, executed in of_runs.items():
        steps = [step for step, _ in executed]
        assert steps == sorted(steps), f"{run}: a step came again behind the next one: {steps}"
        for (before, by), (after, _) in pairwise(executed):
            if before == after:
                assert by in killed, f"{run}: {after} again, though no kill came"
                again += 1
    return again


def check_answers(project: Project, acknowledged: dict[str, set[bool]]) -> None:
    for run, said in acknowledged.items():
        output = project.inspect(run)["output"]
        assert said == {output}, f"{run}: {said} were acknowledged, and {output} was received"


@pytest.mark.parametrize(
    ("each", "seconds"),
    [
        pytest.param(3, 15, marks=pytest.mark.long),
        pytest.param(25, CAMPAIGN, marks=pytest.mark.campaign),
    ],
)
def test_kills_of_ticks_of_what_they_took_up_and_of_senders_lose_and_double_nothing(
    each: int, seconds: float, project: Project, count: Callable[[int], None]
) -> None:
    project.job(JOBS)
    killed = Killed(project, each, seconds)
    killed.go_on()
    print(f"{check_executions(project, killed.pids)} steps again, {len(killed.pids)} kills")
    check_answers(project, killed.acknowledged)
    runs = project.runs()
    assert len(runs) == each * (len(KINDS) + 1)
    for run in runs:
        executed = {line.split()[1] for line in project.effects if line.startswith(run["id"])}
        assert len(executed) == (4 if run["job"] == "nap" else 2)
    project.run("verify")
    count(len(killed.pids))
