"""Workers that are killed and replaced, and a job whose effects say what each of them did."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable

from tests.harness.workers import Worked, WorkedProject

JOB = """
    import uuid

    @define_job
    def work(
        step: Step, *, dies: str = "", steps: int = 12, ms: int = 5, between: int = 0
    ) -> list[str]:
        run, tokens = step.run_id, []
        for n in range(steps):
            tokens.append(step.run(f"s{n}", once, run, n, ms, dies if n == steps // 2 else ""))
            effect(f"{run} ack {n} {tokens[-1]} {os.getpid()}")
            time.sleep(between / 1000)
            if n == steps // 2 and dies == "between":
                die_once(run)
            if n == steps // 2 and dies == "wait":
                step.sleep("nap", 1)
        return tokens

    def once(run, n, ms, dies):
        if dies == "before":
            die_once(run)
        token = uuid.uuid4().hex
        effect(f"{run} run {n} {token} {os.getpid()}")
        time.sleep(ms / 1000)
        if dies == "behind":
            die_once(run)
        return token

    def die_once(run):
        try:
            os.close(os.open(f"died-{run}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), 9)
"""
"""Its effects are `<run> run <n> <token> <pid>` when a step executes, and `<run> ack ...` when its
result is handed to the job, which then waits for `between` milliseconds. `dies` says where the run
kills its worker, once."""

DIES = ("before", "behind", "between")
"""Where: before a step's effect, behind it, and between its record and the next step."""


class Crew:
    """So many workers of a project, of which each that is gone is replaced."""

    def __init__(self, project: WorkedProject, size: int, slots: int = 2) -> None:
        self.project, self._size, self._slots = project, size, slots
        self.all = list[Worked]()
        self.keep()

    @property
    def alive(self) -> list[Worked]:
        """Those that have not ended."""
        return [each for each in self.all if each.process.poll() is None]

    @property
    def kills(self) -> int:
        """How many were killed."""
        return sum(each.is_killed for each in self.all)

    def keep(self) -> None:
        """Start who is missing."""
        for _ in range(self._size - len(self.alive)):
            self.all.append(self.project.work(self._slots, at_once=True))

    def until_all_have_ended(
        self, meanwhile: Callable[[], object] = lambda: None, seconds: float = 240
    ) -> None:
        """Return once no run of the project is unfinished; what is gone is replaced."""
        deadline = time.monotonic() + seconds
        while left := _unfinished(self.project):
            said = "\n".join(each.said.read_text()[-300:] for each in self.alive)
            assert time.monotonic() < deadline, f"{left} do not end\n{said}"
            meanwhile()
            self.keep()

    def kill_one(self) -> None:
        """Kill a worker, at a random moment; now and then while it drains."""
        takes = [each for each in self.alive if each.takes_up_runs]
        time.sleep(random.uniform(0.05, 0.8))
        if not takes:
            return
        victim = random.choice(takes)
        if random.random() < 0.3:
            victim.process.terminate()
            time.sleep(random.uniform(0, 0.1))
        victim.kill()


def _unfinished(project: WorkedProject) -> list[str]:
    return [f"{run['id']} {run['status']}" for run in project.runs() if run["status"] not in ENDED]


ENDED = ("completed", "failed", "cancelled")


def check(project: WorkedProject, runs: int, steps: int = 12) -> int:
    """All of so many runs have completed, and no acknowledged step ran again.

    How many steps ran more than once.
    """
    found = project.runs()
    assert len(found) == runs, f"{len(found)} runs, and {runs} were triggered"
    lines = defaultdict[str, list[list[str]]](list)
    for line in project.effects:
        run, *words = line.split()
        lines[run].append(words)
    again = 0
    for run in found:
        assert run["status"] == "completed", run
        acknowledged, made = dict[str, str](), list[str]()
        for what, n, token, _ in lines[run["id"]]:
            if what == "run":
                assert n not in acknowledged, f"{run['id']}: {n} ran again, once acknowledged"
                made.append(n)
            else:
                assert acknowledged.setdefault(n, token) == token, f"{n} was replayed differently"
        assert [acknowledged[str(n)] for n in range(steps)] == outputs_of(project, run["id"])
        again += len(made) - len(set(made))
    return again


def outputs_of(project: WorkedProject, run: str) -> list[str]:
    """The tokens that a run gave."""
    found = json.loads(project.run("wait", run).out)
    assert isinstance(found, list)
    return found


def enqueue(
    project: WorkedProject, inputs: list[dict[str, object]], concurrency_key: str | None = None
) -> None:
    """Trigger the job `work` with each of these inputs, on one connection: 4 ms each."""
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from durably_cli.engines.request import Request\n"
        "from durably_cli.project.discovery import find_job\n"
        "from durably_cli.project.engine import engine_of_workers\n"
        "from durably_cli.project.listening_job import ListeningJob\n"
        "from durably_cli.values.strict_json import to_json\n"
        "here, key = Path.cwd(), (sys.argv[1:] or [None])[0]\n"
        "engine = engine_of_workers(here)\n"
        "job = ListeningJob(find_job(here, 'work', print), here, all_threads=False)\n"
        "for each in json.load(sys.stdin):\n"
        "    request = Request('work', to_json(each), str(here), concurrency_key=key)\n"
        "    engine.trigger(request, lambda: job)\n"
    )
    subprocess.run(
        (sys.executable, "-c", program, *([concurrency_key] if concurrency_key else [])),
        input=json.dumps(inputs),
        cwd=project.root,
        env=project.env,
        text=True,
        check=True,
    )
