"""What durably promised to whom, and how long the log of the disk's writes was by then.

A power cut that comes later must leave every promise unbroken.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import RunHasFailed
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted
from tests.conftest import Project

BEGUN = "begun"
"""In place of the token of a step that was called, and must not be called again unasked."""

JOB = """
    import signal
    import uuid

    from durably_cli import File

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

    @define_job
    def vouching(step: Step) -> dict[str, str | list[str]]:
        made = step.run("step-file", write, f"{step.run_id}/file")
        acknowledge(f"{step.run_id}/file {made.sha256[:32]}")
        step.run("pay", pay, f"{step.run_id}/pay", in_doubt="stop")
        return {"run": step.run_id, "tokens": []}

    def write(name: str) -> File:
        path = os.path.join("disk", name.partition("/")[0])
        with open(path, "w") as file:
            file.write(uuid.uuid4().hex * 300)
        made = File(path)
        effect(f"{name} {made.sha256[:32]}")
        return File(path)

    def pay(name: str) -> None:
        effect(f"{name} begun")
        acknowledge(f"{name} begun")
        if not os.path.exists("mended"):
            os.kill(os.getpid(), signal.SIGKILL)

    def acknowledge(line: str) -> None:
        size = os.stat(os.environ["WRITE_LOG"]).st_size
        with open(os.environ["ACKS"], "a") as file:
            file.write(f"{line} {size}\\n")
"""


class End(NamedTuple):
    """A command ended: its run, key, exit code, output, and what the log held before and then."""

    begin: int
    end: int
    run: str
    key: str | None
    code: int
    out: str


class Promises:
    """A project of many runs, and when each promise was made; its steps are `run/n`."""

    def __init__(self, root: Path, log: Path) -> None:
        self.project = Project(root)
        self.project.job(JOB, "power")
        self.mended = self.project.root / "mended"
        self.ends: list[End] = []
        self.deleted: list[End] = []
        self._log, self._acks = log, root / "acknowledged"
        self.project.env |= {"WRITE_LOG": str(log), "ACKS": str(self._acks)}
        self._acknowledged: list[list[str]] = []
        self._made: set[str] = set()

    def stand_on(self, disk: Path) -> None:
        """From now on the data, and the files of the job, are on the disk that is mounted there."""
        link = self.project.root / "disk"
        link.unlink(missing_ok=True)
        link.symlink_to(disk)
        self.project.env["DURABLY_DATA_DIR"] = str(disk / "data")

    def keep(self, *args: str, code: int = 0, key: str | None = None) -> None:
        """Run a command, under this key if given, and remember what it promised by its end."""
        begin, keyed = self._size(), ("--idempotency-key", key) if key else ()
        result = self.project.run(*args, *keyed, expect=code)
        self._acknowledged = [*map(str.split, self._acks.read_text().splitlines())]
        self._made = set(self.project.effects)
        run = self.project.effects[-1].partition("/")[0]
        self.ends.append(End(begin, self._size(), run, key, code, result.out))

    def delete(self, key: str) -> None:
        """Delete the run of this key."""
        begin = self._size()
        self.project.run("delete", f"key:power/{key}")
        (made,) = (each for each in self.ends if each.key == key)
        self.deleted.append(made._replace(begin=begin, end=self._size()))

    def acknowledged(self, log_size: int) -> dict[str, str]:
        """The tokens of the steps that were acknowledged when the log was so long."""
        found = {step: token for step, token, size in self._acknowledged if int(size) <= log_size}
        return {step: token for step, token in found.items() if token != BEGUN}

    def begun(self, log_size: int) -> set[str]:
        """The runs whose step that stops had been called when the log was so long."""
        return {
            step.partition("/")[0]
            for step, token, size in self._acknowledged
            if token == BEGUN and int(size) <= log_size
        }

    def check(self, data: Path, log_size: int) -> None:
        """AssertionError if the readers find less in this data than was promised by then."""
        store = Store(next(data.glob("project-*"), data / "none"))
        found = {view.run_id: self._look(view) for view in store.views()}
        going = {each.run for each in self.deleted if each.begin < log_size}
        gone = {each.run for each in self.deleted if each.end <= log_size}
        for step, token in self.acknowledged(log_size).items():
            run, _, n = step.partition("/")
            if run not in going:
                assert run in found, f"run {run} is lost"
                assert found[run].tokens.get(f"step-{n}") == token, f"{step} is lost"
            if n == "file":
                content = (data.parent / run).read_bytes()
                assert sha256(content).hexdigest()[:32] == token, f"{step}: another file"
        for run in self.begun(log_size):
            assert found[run].undecided == {"pay"}, "called, and may be called again"
        ends = [end for end in self.ends if end.end <= log_size]
        for end in ends:
            if end.run not in going:
                found[end.run].check(end)
        assert not gone & found.keys(), "deleted, and there again"
        claims = dict[str, Claim]()
        for path, claim in Claims(store.root).all():
            assert isinstance(claim, Claim), f"unreadable: {path}: {claim}"
            claims[claim.run] = claim
        keys = Counter(each.key for each in found.values() if each.key)
        assert max(keys.values(), default=1) == 1, f"two runs of a key: {keys}"
        assert {end.run for end in ends if end.key} <= claims.keys(), "a claim is lost"
        assert all(claims[run].deleted for run in gone), "a tombstone is lost"

    def go_on(self, disk: Path, log_size: int) -> None:
        """On the disk that is left, take up every run, and trigger with a key again."""
        self.stand_on(disk)
        project, acknowledged = self.project, self.acknowledged(log_size)
        before, outputs = len(project.effects), list[str]()
        runs = json.loads(project.run("list", "-n", "0", "--json").out)["runs"]
        for run in runs:
            result = project.run("resume", run["id"], expect=None)
            if "is deleted: its removal was cut short" not in result.err:
                if run["id"] in self.begun(log_size):
                    assert result.code == 1, result
                    assert "--done pay" in result.err, result
                    continue
                assert result.code == 0, result
                outputs.append(result.out)
        begin = ("trigger", "power", "-p", "steps:=4", "--idempotency-key", "first")
        once, again = (project.run(*begin).out for _ in range(2))
        assert once == again
        for output in map(json.loads, (*outputs, once)):
            for n, token in enumerate(output["tokens"]):
                assert acknowledged.get(f"{output['run']}/{n}", token) == token
        executed = {line.split()[0] for line in project.effects[before:]}
        assert not executed & acknowledged.keys(), "acknowledged, and executed again"
        again = executed & {f"{run}/pay" for run in self.begun(log_size)}
        assert not again, f"called again unasked: {again}"
        project.run("verify")

    def _size(self) -> int:
        return self._log.stat().st_size

    def _look(self, view: object) -> Found:
        assert isinstance(view, RunView), f"unreadable: {view}"
        found = Found(view)
        for name, token in found.tokens.items():
            made = f"{view.run_id}/{name.removeprefix('step-')} {token}"
            assert made in self._made, f"{name} has a result that was never made"
        return found


def _token_of(result: Any) -> str:
    """That of a result: of a file it is what is in it."""
    return str(result["sha256"] if isinstance(result, dict) else result)[:32]


class Found:
    """What the readers find of one run."""

    def __init__(self, view: RunView) -> None:
        assert view.damage is None, f"taken for damage: {view.damage}"
        blobs, events = Blobs(view.path), list(view.events())
        self.status, self.key = view.status, view.state.created.idempotency_key
        self.output = view.state.output
        self.undecided = {step.name for step in view.state.undecided}
        self.failed = any(isinstance(event, RunHasFailed) for event in events)
        self.tokens = {
            event.name: _token_of(json.loads(blobs.get(event.result)))
            for event in events
            if isinstance(event, StepCompleted) and event.name != "pay"
        }

    def check(self, end: End) -> None:
        """What the command said by its end is there."""
        if end.code == 0:
            assert self.status is Status.COMPLETED, f"{end.run} was completed, and is {self.status}"
            assert f"{self.output}\n" == end.out, "it printed another output"
        elif end.code == 1:
            assert self.failed, "it said that the run had failed"
