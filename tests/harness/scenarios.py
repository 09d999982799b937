"""What a command does when a system call of it goes wrong, and how it is mended after."""

from __future__ import annotations

import errno
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import Result
from tests.harness.ledger import Ledger
from tests.harness.places import remove
from tests.harness.system_calls import Call, Fault, Met, at, calls_in, fails, short, signals, watch

FAILING = "trigger ledger -p fails:=1"
KEYED = "trigger ledger --idempotency-key k"
LARGE = f"{KEYED} -p large:=true"
LARGE_VALUES = f"trigger ledger -p size:=70000 -p pad={70_000 * 'x'}"
"""Its input, results and output stand in files of their own."""
EXPORT, IMPORT = "export @last -o run.tar.gz", "import run.tar.gz --adopt"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAULTS: dict[str, Callable[..., Any]] = {
    "SIGKILL": signals(signal.SIGKILL),
    "EIO": fails(errno.EIO),
    "ENOSPC": fails(errno.ENOSPC),
    **{number.name: signals(number) for number in SIGNALS},
}
SHORT = {
    f"{percent} percent, {'and dies' if dies else 'and goes on'}": short(percent, dies=dies)
    for percent in (0, 50, 99)
    for dies in (True, False)
}


def attempt(ledger: Ledger, command: str) -> Result:
    return ledger.attempt(*command.split())


def _damage(ledger: Ledger) -> None:
    """What comes before the damage was acknowledged."""
    with open(ledger.journal(), "ab") as journal:
        journal.write(b"no line of ours\n")


def _claim(ledger: Ledger) -> None:
    """Killed when the key was claimed, before the run was there."""
    dies = Fault("dies", lambda call: ".jsonl" in call.target, FAULTS["SIGKILL"])
    log = ledger.project.root.parent / "claimed"
    killed = ledger.attempt(*KEYED.split(), before=partial(watch, log, dies))
    assert killed.code == -signal.SIGKILL
    assert list(ledger.project.data.glob("*/keys/*"))
    assert not ledger.journals()


def _killed(ledger: Ledger) -> None:
    """Killed when its second step was begun."""
    begun = Fault("dies", lambda call: call.event == "step.completed step-1", FAULTS["SIGKILL"])
    log = ledger.project.root.parent / "begun"
    killed = ledger.attempt("trigger", "ledger", before=partial(watch, log, begun))
    assert killed.code == -signal.SIGKILL


def _resume(ledger: Ledger, _: str) -> None:
    """Go on with the run, if there is one: all of it must be there."""
    (ledger.project.root / "mended").touch()
    if ledger.journals():
        ledger.check_output(attempt(ledger, "resume @last"))
    else:
        assert not ledger.made, "a step was executed without a run"


def _trigger_again(ledger: Ledger, command: str) -> None:
    """The same key gives the same run; one whose step met the fault and failed is resumed."""
    result = attempt(ledger, command)
    if result.code == 1 and "failed before" in result.err:
        result = attempt(ledger, "resume key:ledger/k")
    ledger.check_output(result)
    assert len(ledger.journals()) == 1


def _remove_again(ledger: Ledger, command: str) -> None:
    """Gone in the end, and its work is not done again."""
    result = attempt(ledger, command)
    assert result.code in (0, 4), result
    assert not ledger.journals()
    made = dict(ledger.made)
    assert attempt(ledger, LARGE).code == 4
    assert ledger.made == made


def _cancel_again(ledger: Ledger, command: str) -> None:
    """Cancelled in the end, for good: nothing of it is executed."""
    made = dict(ledger.made)
    assert attempt(ledger, command).code == 0
    assert attempt(ledger, "resume @last").code == 3
    assert ledger.made == made


def _repair_again(ledger: Ledger, command: str) -> None:
    result = attempt(ledger, command)
    assert result.code == 0, result
    _resume(ledger, command)


def _export_again(ledger: Ledger, command: str) -> None:
    """What has the name of the export is whole, and the run is as it was."""
    exported = ledger.project.root / "run.tar.gz"
    if not exported.exists():
        assert attempt(ledger, command).code == 0
    with tarfile.open(exported) as archive:
        files = [archive.extractfile(member) for member in archive]
        contents = [file.read() for file in files if file]
    exported.unlink()
    assert ledger.journal().read_bytes() in contents
    ledger.check_output(attempt(ledger, "resume @last"))


def _import_again(ledger: Ledger, command: str) -> None:
    """Brought once more, it is there once, and nothing of it is executed."""
    made = dict(ledger.made)
    attempt(ledger, command)
    assert attempt(ledger, LARGE).code == 0
    assert (len(ledger.journals()), ledger.made) == (1, made)


class Scenario(NamedTuple):
    """What is done before, a command, and how it is seen to that nothing was lost.

    `syncs` is how often it syncs its journal besides once for each step.
    """

    before: tuple[str | Callable[[Ledger], None], ...]
    command: str
    recover: Callable[[Ledger, str], None]
    syncs: int = 2


SCENARIOS = {
    "create": Scenario((), "trigger ledger", _resume),
    "fail": Scenario((), FAILING, _resume),
    "resume": Scenario((FAILING,), "resume @last", _resume),
    "retry": Scenario((), "trigger ledger -p flaky:=1", _resume, 4),
    "program": Scenario((), "trigger ledger -p program:=1", _resume),
    "cancel": Scenario((_killed,), "cancel @last", _cancel_again),
    "claim and create": Scenario((), KEYED, _trigger_again),
    "create for a claim": Scenario((_claim,), KEYED, _trigger_again),
    "in turn": Scenario((), "trigger ledger --concurrency-key c", _resume),
    "large values": Scenario((), LARGE_VALUES, _resume),
    "large result": Scenario((), LARGE, _trigger_again, 3),
    "delete": Scenario((LARGE,), "delete key:ledger/k", _remove_again, 0),
    "prune": Scenario((LARGE,), "prune --older-than 0s --yes", _remove_again, 0),
    "repair": Scenario((FAILING, _damage), "repair @last --yes", _repair_again, 1),
    "export": Scenario((LARGE,), EXPORT, _export_again, 0),
    # What brings it back makes a claim of a tombstone as well.
    "adopt": Scenario((LARGE, EXPORT, "delete @last"), IMPORT, _import_again, 1),
}


class Bench:
    """A place of its own to try one scenario again and again."""

    def __init__(self, root: Path, name: str) -> None:
        self.scenario, self.log = SCENARIOS[name], root / "calls"
        self.ledger = Ledger(root / "ledger")
        for each in self.scenario.before:
            if callable(each):
                each(self.ledger)
            else:
                assert attempt(self.ledger, each).code == (each == FAILING)
        project, self._copy = self.ledger.project, root / "copy"
        self._parts = (project.data, project.effects_path, project.root / "run.tar.gz")
        self._books = dict(self.ledger.made), dict(self.ledger.acknowledged)
        self._copy.mkdir()
        for part in self._parts:
            copy(part, self._copy / part.name)
        self.calls()  # leaves compiled modules behind: from now on the calls are always the same

    @contextmanager
    def restored(self) -> Iterator[Ledger]:
        """The ledger as it was before the command."""
        for part in (*self._parts, self.ledger.project.root / "mended"):
            remove(part)
            copy(self._copy / part.name, part)
        made, acknowledged = self._books
        self.ledger.made = {n: set(tokens) for n, tokens in made.items()}
        self.ledger.acknowledged = dict(acknowledged)
        yield self.ledger

    def attempt(self, *faults: Fault) -> Result:
        """Run the command, and meet these faults."""
        words, before = self.scenario.command.split(), partial(watch, self.log, *faults)
        return self.ledger.attempt(*words, before=before)

    def recover(self) -> None:
        """See to it that nothing was lost."""
        self.scenario.recover(self.ledger, self.scenario.command)

    def calls(self) -> list[Call]:
        """The calls that change the disk, without those of the steps themselves."""
        with self.restored() as ledger:
            result = self.attempt()
            ledger.check_ended_in_order(result)
            self.code = result.code
        books = str(ledger.project.effects_path), ledger.project.env["ACKS"]
        return [call for call in calls_in(self.log) if call.file not in books]

    def meet(self, call: Call, what: str) -> None:
        """Meet one fault at this call, and recover."""
        fault = Fault(what, at(call.number), (FAULTS | SHORT)[what])
        with self.restored():
            result = self.attempt(fault)
            try:
                self._check(result, Met(self.log, call.number), what)
                self.recover()
            except AssertionError as error:
                raise AssertionError(f"{what} at {call}: {error}\n{result}") from error

    def _check(self, result: Result, met: Met, what: str) -> None:
        self.ledger.check_ended_in_order(result)
        self.ledger.acknowledge(met.durable_steps())
        number = getattr(signal, what, None)
        if number:
            assert result.code in (self.code, -number, 128 + number), "another end"
        elif what in FAULTS:
            met.check_file_was_left_alone()
            self._check_what_was_not_saved(result, met)
        else:
            self.check_lines(whole="goes on" in what)
            assert result.code == (self.code if "goes on" in what else -signal.SIGKILL)

    def check_lines(self, *, whole: bool) -> None:
        """What a short write leaves of a line is its end, and no other's beginning."""
        for data in map(Path.read_bytes, self.ledger.journals()):
            assert data.endswith(b"\n") or not whole

    def _check_what_was_not_saved(self, result: Result, met: Met) -> None:
        """It said what was not saved, and that is not in the journal's bytes."""
        found = met.not_saved()
        if found is None:
            return
        event, size = found
        assert result.code == 74, "an append failed, and it went on"
        said = result.err.replace(".large event", " event")
        assert f"{_named(event)} was not saved" in said
        assert self.ledger.journal().stat().st_size == size, "what was not saved is in the journal"


def _named(event: str) -> str:
    kind, _, step = event.partition(" ")
    if kind in ("step.completed", "step.retrying", "step.failed"):
        return f"the {'result' if kind == 'step.completed' else 'failure'} of step {step!r}"
    if kind.startswith("run.completed"):
        return "the run's output"
    if kind == "log.written":
        return "a log line"
    return f"its {kind} event"


def copy(source: Path, target: Path) -> None:
    """Copy what is there, if anything is."""
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)
