"""One project of each engine with the jobs of all tests of the contract, and a worker of it.

A test looks at the runs and the effects of its own job. Runs of the jobs that are to be killed
are killed all at once, where they stand: on dbos with their worker, which another one replaces.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.conftest import Project, Result, Started
from tests.harness.workers import Worked, WorkedProject

JOBS: dict[str, str] = {}
"""The texts of the jobs, by name."""

KILLED: list[str] = []
"""The jobs whose runs are to be killed; each says so by the effect `here`, and stays there."""

_BEFORE = """
from durably_cli import *

def effect(line):
    fd = os.open(os.environ["EFFECTS"] + "-" + __name__, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{line}\\n".encode())
    os.close(fd)
    return line

def there(what):
    return os.path.exists(__name__ + "-" + what)

def stay_here():
    effect("here")
    while not there("killed"):
        time.sleep(0.02)
    return effect("again")

"""


def job(name: str, text: str, *, is_killed: bool = False) -> str:
    """Have a job of this name and text; its name."""
    assert name not in JOBS, name
    JOBS[name] = _BEFORE + dedent(text)
    if is_killed:
        KILLED.append(name)
    return name


class OfJob:
    """The runs of one job, what they do from now on, and what they find to be there."""

    def __init__(self, project: Project, name: str, *, from_the_first: bool = False) -> None:
        self.project, self.name, self.last = project, name, f"@last/{name}"
        self._path = Path(f"{project.effects_path}-jobs.{name}")
        self._before = 0 if from_the_first else len(self._all)

    @property
    def effects(self) -> list[str]:
        """What its steps have done."""
        return self._all[self._before :]

    def wait_for_effects(self, number: int = 1) -> None:
        """Return once there are so many."""
        wait(lambda: len(self.effects) >= number)

    def trigger(self, *args: str, expect: int | None = 0) -> Result:
        """A run of it, to its end."""
        return self.project.run("trigger", self.name, *args, expect=expect)

    def start(self, *args: str) -> Started:
        """The same, begun."""
        return self.project.start("trigger", self.name, *args)

    def run(self, command: str, *args: str, expect: int | None = 0) -> Result:
        """A command for its last run."""
        return self.project.run(command, self.last, *args, expect=expect)

    def inspect(self) -> dict[str, Any]:
        """Its last run."""
        return self.project.inspect(self.last)

    def events(self) -> list[dict[str, Any]]:
        """All that was written of its last run."""
        return [json.loads(line) for line in self.run("inspect", "--events").out.splitlines()]

    def until(self, status: str) -> None:
        """Return once its last run, which is one that begins now, has this status."""
        self.wait_for_effects()
        wait(lambda: self.runs()[0]["status"] == status)

    def runs(self, *filters: str) -> list[dict[str, Any]]:
        """All of its runs, newest first."""
        return self.project.runs("--job", self.name, *filters)

    def make(self, what: str, text: str = "") -> Path:
        """Let `there(what)` be so."""
        path = self.project.root / f"jobs.{self.name}-{what}"
        path.write_text(text)
        return path

    @property
    def _all(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []


class Contract:
    """The project of one engine."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._worker: Worked | None = None
        self._killed = False
        for name, text in JOBS.items():
            project.job(text, name)
        self.begin()

    @property
    def has_workers(self) -> bool:
        """Is it the engine dbos?"""
        return isinstance(self.project, WorkedProject)

    def begin(self) -> None:
        """Have runs executed by another worker than before, if the engine has any."""
        if isinstance(self.project, WorkedProject):
            self._worker = self.project.work(8)  # a run of each of KILLED at once

    def of(self, name: str) -> OfJob:
        """The runs of this job."""
        return OfJob(self.project, name)

    def killed(self, name: str) -> OfJob:
        """The same of a job that is to be killed: one of it was, and can be gone on with."""
        if not self._killed:
            self._killed = True
            self._kill_all()
        return OfJob(self.project, name, from_the_first=True)

    def _kill_all(self) -> None:
        jobs = [OfJob(self.project, each, from_the_first=True) for each in KILLED]
        started = [each.start() for each in jobs]
        try:
            for each in jobs:
                wait(lambda each=each: "here" in each.effects)  # type: ignore[misc]
            if self._worker is not None:
                self._worker.kill()
        finally:
            for process in started:
                process.kill()
                process.result()
        for each in jobs:
            each.make("killed")
        self.begin()

    def go_on(self, of: OfJob, expect: int = 0) -> Result:
        """Have the killed run gone on with to its end, by whoever does that on the engine."""
        return of.run("wait" if self.has_workers else "resume", expect=expect)


def wait(is_so: Callable[[], bool]) -> None:
    """Return once it is so, within a minute."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)
