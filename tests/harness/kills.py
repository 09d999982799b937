"""A run of forty steps, and processes that compete for it while their owners are killed."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path

from tests.conftest import Project, Result
from tests.harness.warm import Command, Warm

STEPS = 40

FORTY_STEPS = """
    import uuid

    @define_job(name="forty")
    def forty(step: Step, payload: dict) -> dict:
        tokens = []
        for n in range(payload.get("steps", 40)):
            token = step.run(f"step-{n}", once, n)
            effect(f"ack {n} {token} {os.getpid()}")
            tokens.append(token)
        return {"tokens": tokens}

    def once(n: int) -> str:
        token = uuid.uuid4().hex
        effect(f"run {n} {token} {os.getpid()}")
        time.sleep(0.001)
        return token
"""
"""Its effects are `run <n> <token> <pid>` when a step executes, and `ack ...` when its result is
handed to the job, in any attempt."""

BEFORE, BEGINNING, IN_STEP, BETWEEN, AFTER = PHASES = (
    "before the run existed",
    "with the run there, before its own first step",
    "in a step",
    "between the steps",
    "after the end",
)


def check_forty(effects: list[str], output: dict[str, list[str]], steps: int = STEPS) -> None:
    """No step ran after it was acknowledged, and every attempt was given the same results."""
    acknowledged: dict[str, str] = {}
    made: set[str] = set()
    for line in effects:
        what, n, token, _ = line.split()
        if what == "run":
            assert n not in acknowledged, f"step {n} ran again after it was acknowledged"
            made.add(f"{n} {token}")
        else:
            assert f"{n} {token}" in made, f"step {n} gave a result that its function never made"
            assert acknowledged.setdefault(n, token) == token, f"step {n} was replayed differently"
    assert output["tokens"] == [acknowledged[str(n)] for n in range(steps)]


class Contest:
    """Several processes at once that want to bring one run to its end, and die of it.

    One in `COLD` of them is started as a shell would, and killed while the interpreter starts.
    """

    COLD = 12
    RIVALS = 3

    def __init__(self, project: Project, warm: Warm, seed: int) -> None:
        self.phases = Counter[str]()
        self._project, self._warm = project, warm
        self._chance = random.Random(seed)
        self._key, self._others = "", set[Path]()
        self._rivals: list[Command] = []

    @property
    def kills(self) -> int:
        """How many processes were killed: what ended by itself first does not count."""
        return self.phases.total()

    def complete(self, key: str, kills: int) -> None:
        """Run `forty` under this key to its end, with so many kills on the way, and check all."""
        self._project.effects_path.unlink(missing_ok=True)
        self._key, self._others = key, self._journals()
        early, late = self.kills + kills // 5, self.kills + kills - 1
        while self.kills < early:
            self._kill_a_beginner()
        while self.kills < late:
            self._kill_amid()
        while self.kills <= late:
            self._kill_at_the_end()
        self._check_the_end()

    def _kill_a_beginner(self) -> None:
        """Kill one that just starts, be there a run or not."""
        if self._chance.randrange(self.COLD):
            command = self._warm.start(*self._begin())
            time.sleep(self._chance.uniform(0, 0.05))
            self._kill(command)
            return
        with self._project.start(*self._begin()) as process:
            time.sleep(self._chance.uniform(0, 0.25))
            process.kill()
            process.communicate()
            if process.returncode < 0:
                self.phases[self._phase_of(process.pid)] += 1

    def _kill_amid(self) -> None:
        """Kill the owner, sometimes all of its rivals too, after so many effects more."""
        self._have_rivals()
        goes_on = self._wait_for_effects(self._chance.randrange(1, 12))
        time.sleep(self._chance.choice((0, self._chance.uniform(0, 0.003))))
        whom = self._chance.random()
        if whom < 0.8 and goes_on:
            self._kill(*self._owners())
        elif whom < 0.9 and goes_on:
            self._kill(self._chance.choice(self._rivals))
        else:
            self._have_rivals()
            self._kill(*self._rivals)

    def _kill_at_the_end(self) -> None:
        """Kill whoever does the last of it, or prints what is done."""
        self._have_rivals()
        while not self._last_effect().startswith(f"ack {STEPS - 1} "):
            if not self._wait_for_effects(1):
                break
        time.sleep(self._chance.uniform(0, 0.02))
        self._kill(*(self._owners() or self._rivals[:1]))

    def _check_the_end(self) -> None:
        rivals = [*self._rivals, *(self._warm.start(*self._again()) for _ in range(2))]
        self._rivals = []
        last = self._warm.run(*self._begin())
        output = json.loads(last.out)
        for rival in rivals:
            self._check_it_ended_well(rival.result(), last.out)
        check_forty(self._project.effects, output)

    def _check_it_ended_well(self, result: Result, output: str | None = None) -> None:
        """It printed the output; or found no run yet; or found it held for long."""
        assert result.code in (0, 4, 75), result
        assert result.code != 0 or output in (None, result.out), result

    def _begin(self) -> tuple[str, ...]:
        return "trigger", "forty", "--idempotency-key", self._key

    def _again(self) -> tuple[str, ...]:
        return "resume", f"key:forty/{self._key}"

    def _have_rivals(self) -> None:
        """Put new ones in the places of those that have ended."""
        for rival in [each for each in self._rivals if each.has_ended()]:
            self._check_it_ended_well(rival.result())
            self._rivals.remove(rival)
        while len(self._rivals) < self.RIVALS:
            words = self._chance.choice((self._begin, self._again, self._again))()
            self._rivals.append(self._warm.start(*words))

    def _kill(self, *commands: Command) -> None:
        for command in commands:
            command.signal(signal.SIGKILL)
        for command in commands:
            if command.result().code < 0:
                self.phases[self._phase_of(command.pid)] += 1
            else:
                self._check_it_ended_well(command.result())
            if command in self._rivals:
                self._rivals.remove(command)

    def _owners(self) -> list[Command]:
        """Who did the last effect, if it is among us and alive."""
        pid = self._last_effect().rpartition(" ")[2]
        return [each for each in self._rivals if str(each.pid) == pid]

    def _last_effect(self) -> str:
        return ([""] + self._project.effects)[-1]

    def _wait_for_effects(self, more: int) -> bool:
        """Return when so many more effects are there, or False when all have ended."""
        wanted = len(self._project.effects) + more
        while len(self._project.effects) < wanted:
            if all(each.has_ended(0.0005) for each in self._rivals):
                return False
        return True

    def _phase_of(self, pid: int) -> str:
        """Where it was when it died: read off its last effect, and its run's journal."""
        mine = [line for line in self._project.effects if line.endswith(f" {pid}")]
        journal = self._journal()
        if mine and mine[-1].startswith("run "):
            return IN_STEP
        if journal is not None and b'"type":"run.completed"' in journal.read_bytes():
            return AFTER
        if mine:
            return BETWEEN
        return BEFORE if journal is None else BEGINNING

    def _journal(self) -> Path | None:
        """The journal of this key's run, if it is there."""
        return next((path for path in self._journals() if path not in self._others), None)

    def _journals(self) -> set[Path]:
        return set(self._project.data.glob("*/runs/*/*.jsonl"))
