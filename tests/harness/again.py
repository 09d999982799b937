"""Commands that are killed at a system call and execute steps again: what must hold afterwards.

What was done is in the effects file: each line says what a step made, and of what.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from durably_cli.__main__ import main
from tests.conftest import Project, Result
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.places import remove
from tests.harness.scenarios import copy
from tests.harness.system_calls import Call, Fault, at, calls_in, signals, watch

JOB = """
    import uuid
    from pathlib import Path
    from durably_cli import File, NotDone

    def made(name: str, of: str) -> str:
        result = f"{of}>{uuid.uuid4().hex[:8]}"
        effect(f"{name} {result}")
        return result

    def write(of: str) -> File:
        Path("out").write_text(made("fetch", of))
        return File("out")

    def look(of: str) -> str:
        for line in Path(os.environ["EFFECTS"]).read_text().splitlines():
            if line.startswith("pay "):
                return line.split()[1]
        raise NotDone

    @define_job
    def again(step: Step, payload: dict) -> list[str]:
        step.run("before", made, "before", "x")
        if payload.get("file"):
            first = step.run("fetch", write, "f").path.read_text()
        else:
            first = step.run("fetch", made, "fetch", "f")
        how = payload.get("in_doubt", "again")
        second = step.run("pay", pay, first, in_doubt=look if how == "look" else how)
        third = step.run("last", made, "last", second)
        if payload.get("fails") and not os.path.exists("mended"):
            raise ValueError("not mended")
        return [first, second, third]

    def pay(of: str) -> str:
        return made("pay", of)
"""


class Bench:
    """A project in which one command is killed at each of its calls."""

    def __init__(self, root: Path, name: str) -> None:
        self.scenario, self._log, self._copy = SCENARIOS[name], root / "calls", root / "copy"
        self.project = Project(root / "home")
        self.project.job(JOB, "again")
        for command in self.scenario.before:
            self.attempt(command)
        self._parts = self.project.data, self.project.effects_path, self.project.root / "out"
        self._copy.mkdir()
        for part in self._parts:
            copy(part, self._copy / part.name)
        self.restore()

    def restore(self) -> None:
        """All is as it was before the command."""
        for part in self._parts:
            remove(part)
            copy(self._copy / part.name, part)
        if self.scenario.spoils:
            (self.project.root / "out").unlink()
        (self.project.root / "mended").touch()
        self.origin = {path: path.read_bytes() for path in self.journals()}

    def attempt(self, command: str, *faults: Fault) -> Result:
        """Run a command, and meet these faults."""

        def act() -> None:
            sys.argv = ["durably", *command.split()]
            watch(self._log, *faults)
            main()

        how = How(self.project.root, self.project.env, seconds=120)
        ended = forking.call(how, act)
        return Result(ended.code, ended.out.decode(), ended.err.decode())

    def calls(self) -> list[Call]:
        """All calls that the command makes."""
        result = self.attempt(self.scenario.command)
        assert result.code == 0, result
        self.restore()
        self.attempt(self.scenario.command)  # the first one left compiled modules behind
        self.restore()
        return calls_in(self._log)

    def kill_at(self, call: Call) -> None:
        """Kill the command at this call; all that must hold then holds."""
        try:
            fault = Fault("SIGKILL", at(call.number), signals(signal.SIGKILL))
            assert self.attempt(self.scenario.command, fault).code == -signal.SIGKILL
            self.scenario.check(self)
        except AssertionError as error:
            raise AssertionError(f"killed at {call}: {error}") from error
        finally:
            self.restore()

    def journals(self) -> list[Path]:
        """The journals that there are, oldest first."""
        return sorted(self.project.data.glob("*/runs/*/*.jsonl"))

    def made(self, name: str) -> list[str]:
        """What this step has made, in order."""
        lines = map(str.split, self.project.effects)
        return [result for step, result in lines if step == name]

    def complete(self, run: str = "@last") -> None:
        """A resume brings it to its end, and each result is made of the one before it."""
        result = self.attempt(f"resume {run}")
        assert result.code == 0, result
        first, second, third = json.loads(result.out)
        assert second.startswith(f"{first}>"), "of another first result"
        assert third.startswith(f"{second}>"), "of another second result"


class Scenario(NamedTuple):
    """What is done before, a command, and what must hold when it was killed.

    With `spoils` the file of a step is gone before the command.
    """

    before: tuple[str, ...]
    command: str
    check: Callable[[Bench], None]
    spoils: bool = False


def _stopped(bench: Bench) -> None:
    """What was begun is not called again unasked, however often it is resumed."""
    if not bench.journals():
        assert not bench.project.effects, "a step was executed without a run"
        return
    for _ in range(2):
        result = bench.attempt("resume @last")
        assert len(bench.made("pay")) <= 1, f"called again unasked\n{result}"
        assert result.code in (0, 1), result
    if result.code == 1:
        assert "--done pay" in result.err, result
        assert bench.attempt('resume @last --done pay --result "f>1>2"').code == 0
        assert len(bench.made("pay")) <= 1
    else:
        bench.complete()


def _looked_for(bench: Bench) -> None:
    """Its effect has happened once."""
    if bench.journals():
        bench.complete()
        assert len(bench.made("pay")) == 1, "it looked, and yet"
    else:
        assert not bench.project.effects, "a step was executed without a run"


def _one_chain(bench: Bench) -> None:
    """Of the old chain and the new one, all is of one; what came before is not done again."""
    bench.complete()
    assert len(bench.made("before")) == 1


def _file(bench: Bench) -> None:
    """All is of the file as it is."""
    if bench.journals():
        bench.complete()
        first = json.loads(bench.attempt("resume @last").out)[0]
        assert (bench.project.root / "out").read_text() == first


def _forked(bench: Bench) -> None:
    """The origin is as it was, and the fork is not there, or whole."""
    assert {path: path.read_bytes() for path in bench.origin} == bench.origin
    verified = bench.attempt("verify")
    assert verified.code == 0, verified
    forks = [path for path in bench.journals() if path not in bench.origin]
    assert len(forks) <= 1
    for fork in forks:
        bench.complete(fork.stem)
        assert len(bench.made("before")) == 1
    assert {path: path.read_bytes() for path in bench.origin} == bench.origin


_FAILING = "trigger again -p fails:=true"
SCENARIOS = {
    "stop": Scenario((), "trigger again -p in_doubt=stop", _stopped),
    "look": Scenario((), "trigger again -p in_doubt=look", _looked_for),
    "redo": Scenario((_FAILING,), "resume @last --redo fetch", _one_chain),
    "fork": Scenario(("trigger again",), "fork @last --redo fetch", _forked),
    "file": Scenario((), "trigger again -p file:=true", _file),
    "file gone": Scenario((f"{_FAILING} -p file:=true",), "resume @last", _one_chain, spoils=True),
}
