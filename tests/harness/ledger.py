"""What a run did and what it was acknowledged, as seen from outside of the tool.

Each execution of a step appends a line to one file, each acknowledgement to another. The journal is
never asked.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from durably_cli.__main__ import main
from durably_cli.engines.local.leftovers import wait_for_programs
from tests.conftest import Project, Result
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.places import EXIT_CODES

JOB = """
    import uuid
    from durably_cli import Retry

    @define_job
    def ledger(step: Step, payload: dict) -> list[str]:
        tokens = []
        if payload.get("large"):
            step.run("large", lambda: "x" * 100_000)
        for n in range(payload.get("steps", 3)):
            fails, size = n == payload.get("fails"), payload.get("size", 0)
            is_flaky = n == payload.get("flaky")
            if n == payload.get("program"):
                token = uuid.uuid4().hex
                command = f"echo {n} {token} >> $EFFECTS; echo {token}"
                tokens.append(step.sh(f"step-{n}", command).stdout.strip())
                acknowledge(f"{n} {tokens[-1]}")
                continue
            tries = Retry(50, delay=0) if is_flaky else 1
            result = step.run(f"step-{n}", once, n, fails, size, is_flaky, tries=tries)
            tokens.append(result[:32])
            acknowledge(f"{n} {tokens[-1]}")
        return [token + "x" * payload.get("size", 0) for token in tokens]

    refused = []

    def once(n: int, fails: bool, size: int, is_flaky: bool) -> str:
        if is_flaky and len(refused) < 2:
            refused.append(n)
            raise ConnectionError("busy")
        token = uuid.uuid4().hex
        effect(f"{n} {token}")
        if fails and not os.path.exists("mended"):
            raise RuntimeError("not yet mended")
        return token + "x" * size

    def acknowledge(line: str) -> None:
        with open(os.environ["ACKS"], "a") as file:
            file.write(f"{line}\\n")
"""


class Ledger:
    """A project whose job is `ledger`, and the books on it: `made` and `acknowledged` tokens."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.project = Project(root)
        self.project.job(JOB, "ledger")
        self._acks = root / "acknowledged"
        self.project.env["ACKS"] = str(self._acks)
        self.made: dict[str, set[str]] = {}
        self.acknowledged: dict[str, str] = {}

    def attempt(self, *args: str, before: Callable[[], object] | None = None) -> Result:
        """Run `durably *args` in a process that does something before, and enter what it did.

        AssertionError if it executed what was acknowledged before, or took a result for another.
        """
        effects, acknowledged = len(self.project.effects), len(_lines(self._acks))

        def act() -> None:
            sys.argv = ["durably", *args]
            if before:
                before()
            main()

        how = How(self.project.root, self.project.env, seconds=120)
        ended = forking.call(how, act)
        for journal in self.project.data.rglob("*.jsonl"):  # what they do late is of this attempt
            wait_for_programs(journal, lambda _: None)
        result = Result(ended.code, ended.out.decode(), ended.err.decode())
        self._enter(self.project.effects[effects:], _lines(self._acks)[acknowledged:], result)
        return result

    def _enter(self, effects: list[str], acknowledgements: list[str], result: Result) -> None:
        executed = Counter(line.split()[0] for line in effects)
        again = executed.keys() & self.acknowledged.keys()
        assert not again, f"acknowledged, and executed again: {again}\n{result}"
        assert max(executed.values(), default=1) == 1, f"twice in one attempt\n{result}"
        for line in effects:
            n, token = line.split()
            self.made.setdefault(n, set()).add(token)
        for line in acknowledgements:
            n, token = line.split()
            assert token in self.made[n], f"step {n} gave what its function never made\n{result}"
            assert self.acknowledged.setdefault(n, token) == token, f"step {n} differs\n{result}"
        order = [line.split()[0] for line in effects]
        left = [n for n in order if n not in self.acknowledged]
        assert left in ([], order[-1:]), f"went on without an acknowledgement: {left}\n{result}"
        assert result.code != 0 or not left, f"ended well without an acknowledgement\n{result}"

    def journals(self) -> list[Path]:
        """The journals that there are."""
        return list(self.project.data.glob("*/runs/*/*.jsonl"))

    def journal(self) -> Path:
        """The only journal there is."""
        (journal,) = self.journals()
        return journal

    def acknowledge(self, steps: set[str]) -> None:
        """Enter that these were acknowledged, although the pipe was not reached any more."""
        for n, token in map(str.split, self.project.effects):
            if n in steps:
                self.acknowledged[n] = token  # the last one that was made

    def check_ended_in_order(self, result: Result) -> None:
        """It said what happened, with a code of the table or a signal's, and no trace of ours."""
        assert result.code < 0 or result.code in EXIT_CODES, result
        assert result.code <= 0 or result.err.strip(), f"no message\n{result}"
        assert "a bug in durably" not in result.err, result
        assert f'File "{Path(__file__).parents[2]}/durably_cli' not in result.err, result

    def check_output(self, result: Result, steps: int = 3) -> None:
        """The run came to its end, with the results that were acknowledged."""
        assert result.code == 0, result
        tokens = json.loads(result.out)
        assert {str(n): token[:32] for n, token in enumerate(tokens)} == self.acknowledged
        assert len(tokens) == steps


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
