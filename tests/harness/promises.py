"""What the tool promised to whom, and how long the log of the disk's writes was by then.

A power cut that comes later must leave every promise kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import RunHasFailed, StepCompleted
from durably_cli.journal.state import Status
from tests.conftest import Result
from tests.harness.ledger import Ledger

JOB = """
    import signal
    import uuid

    class Input(BaseModel):
        steps: int = 3
        fails: int | None = None
        dies: int | None = None
        large: int | None = None

    @define_job
    def power(step: Step, payload: Input) -> dict[str, str | list[str]]:
        tokens = []
        for n in range(payload.steps):
            step.log.info("before step", n=n, text="x" * 700)
            name = f"{step.run_id}/{n}"
            tokens.append(step.run(f"step-{n}", once, name, n, payload)[:32])
            acknowledge(f"{name} {tokens[-1]}")
        return {"run": step.run_id, "tokens": tokens}

    def once(name: str, n: int, payload: Input) -> str:
        token = uuid.uuid4().hex
        effect(f"{name} {token}")
        mended = os.path.exists("mended")
        if n == payload.fails and not mended:
            raise RuntimeError("not yet mended")
        if n == payload.dies and not mended:
            os.kill(os.getpid(), signal.SIGKILL)
        return token * 2500 if n == payload.large else token

    def acknowledge(line: str) -> None:
        size = os.stat(os.environ["WRITE_LOG"]).st_size
        with open(os.environ["ACKS"], "a") as file:
            file.write(f"{line} {size}\\n")
"""


class End(NamedTuple):
    """A command ended: its run, key and exit code, and what the log held before and then."""

    begin: int
    end: int
    run: str
    key: str | None
    result: Result


class Promises(Ledger):
    """A ledger of many runs that remembers when each promise was made; its steps are `run/n`."""

    def __init__(self, root: Path, log: Path) -> None:
        super().__init__(root)
        self.project.job(JOB, "power")
        self.project.env["WRITE_LOG"] = str(log)
        self.mended = self.project.root / "mended"
        self.ends: list[End] = []
        self.deleted: list[End] = []
        self._log = log
        self._sizes: dict[str, int] = {}
        self._last_run = ""

    def keep(self, *args: str, code: int = 0, key: str | None = None) -> None:
        """Run a command, under this key if given, and remember what it promised by its end."""
        begin = self._log.stat().st_size
        result = self.attempt(*args, *(("--idempotency-key", key) if key else ()))
        assert result.code == code, result
        self.ends.append(End(begin, self._log.stat().st_size, self._last_run, key, result))

    def delete(self, key: str) -> None:
        """Delete the run of this key."""
        begin = self._log.stat().st_size
        result = self.attempt("delete", f"key:power/{key}")
        assert result.code == 0, result
        (made,) = (each for each in self.ends if each.key == key)
        self.deleted.append(made._replace(begin=begin, end=self._log.stat().st_size))

    @contextmanager
    def after_power_cut(self, data: Path, log_size: int) -> Iterator[None]:
        """The books as they were when the log was so long, over the data that is left."""
        acknowledged, old = self.acknowledged, self.project.env["DURABLY_DATA_DIR"]
        self.acknowledged = self._acknowledged_at(log_size)
        self.project.env["DURABLY_DATA_DIR"] = str(data)
        yield
        self.acknowledged, self.project.env["DURABLY_DATA_DIR"] = acknowledged, old

    def check_kept(self, data: Path, log_size: int) -> None:
        """AssertionError if the readers find less in this data than was promised by then."""
        store = Store(next(data.glob("project-*"), data / "none"))
        found = {view.run_id: self._look(view) for view in store.views()}
        gone, going = self._gone(log_size)
        for step, token in self._acknowledged_at(log_size).items():
            run, _, n = step.partition("/")
            if run not in going:
                assert run in found, f"run {run} is lost"
                assert found[run].tokens.get(f"step-{n}") == token, f"{step} is lost"
        for end in self.ends:
            if end.end <= log_size and end.run not in going:
                found[end.run].check(end)
        assert not gone & found.keys(), "deleted, and there again"
        self._check_claims(store, found, log_size)

    def _look(self, view: RunView | Any) -> Found:
        assert isinstance(view, RunView), f"unreadable: {view.error}"
        assert view.damage is None, f"taken for damage: {view.damage}"
        found = Found(view)
        for name, token in found.tokens.items():
            step = f"{view.run_id}/{name.removeprefix('step-')}"
            assert token in self.made[step], f"{step} has a result that was never made"
        return found

    def _check_claims(self, store: Store, found: dict[str, Found], log_size: int) -> None:
        claims = {}
        for path, claim in Claims(store.root).all():
            assert isinstance(claim, Claim), f"unreadable: {path}: {claim}"
            claims[claim.run] = claim
        keys = Counter(each.key for each in found.values() if each.key)
        assert not keys or max(keys.values()) == 1, f"two runs of a key: {keys}"
        for end in self.ends:
            if end.key and end.end <= log_size:
                assert end.run in claims, f"the claim of {end.key} is lost"
        for run in self._gone(log_size)[0]:
            assert claims[run].deleted, "the tombstone is lost"

    def _acknowledged_at(self, log_size: int) -> dict[str, str]:
        return {
            step: token
            for step, token in self.acknowledged.items()
            if self._sizes[step] <= log_size
        }

    def _gone(self, log_size: int) -> tuple[set[str], set[str]]:
        """The runs whose removal was over when the log was so long, and those begun to be."""
        return (
            {each.run for each in self.deleted if each.end <= log_size},
            {each.run for each in self.deleted if each.begin < log_size},
        )

    def _enter(self, effects: list[str], acknowledgements: list[str], result: Result) -> None:
        lines = []
        for line in acknowledgements:
            step, token, size = line.split()
            self._sizes.setdefault(step, int(size))
            lines.append(f"{step} {token}")
        for line in [*effects, *lines]:
            self._last_run = line.partition("/")[0]
        super()._enter(effects, lines, result)


class Found:
    """What the readers find of one run."""

    def __init__(self, view: RunView) -> None:
        blobs, self.failed = Blobs(view.path), False
        self.status, self.key = view.status, view.state.created.idempotency_key
        self.output = view.state.output
        self.tokens: dict[str, str] = {}
        for event in view.events():
            if isinstance(event, StepCompleted):
                self.tokens[event.name] = json.loads(blobs.get(event.result))[:32]
            self.failed |= isinstance(event, RunHasFailed)

    def check(self, end: End) -> None:
        """What the command said by its end is there."""
        if end.result.code == 0:
            assert self.status is Status.COMPLETED, f"{end.run} was completed, and is {self.status}"
            assert f"{self.output}\n" == end.result.out, "it printed another output"
        elif end.result.code == 1:
            assert self.failed, "it said that the run had failed"
