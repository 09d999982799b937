"""What a command does when a system call of it goes wrong, and how it is mended after."""

from __future__ import annotations

import errno
import signal
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import Result
from tests.harness.ledger import Ledger, Snapshot
from tests.harness.system_calls import Call, Fault, Met, at, calls_in, fails, short, signals, watch

KEYED = ("trigger", "ledger", "--idempotency-key", "k")
LARGE = (*KEYED, "-p", "large:=true")
EXPORT = ("export", "@last", "-o", "run.tar.gz")
IMPORT = ("import", EXPORT[-1], "--adopt")
PRUNE = ("prune", "--older-than", "0s", "--yes")
LARGE_VALUES = ("trigger", "ledger", "-p", "size:=70000", "-p", f"pad={70_000 * 'x'}")
"""Its input, results and output stand in files of their own."""

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


class Scenario(NamedTuple):
    """A command, what is there before it, and how it is seen to that nothing was lost.

    `syncs` is how often it syncs its journal besides once for each step.
    """

    prepare: Callable[[Ledger], object]
    args: tuple[str, ...]
    recover: Callable[[Ledger], object]
    syncs: int = 2


def _nothing(ledger: Ledger) -> None:
    pass


def _failed(ledger: Ledger) -> None:
    assert ledger.attempt("trigger", "ledger", "-p", "fails:=1").code == 1


def _completed(ledger: Ledger) -> None:
    ledger.check_output(ledger.attempt(*LARGE))


def _damaged(ledger: Ledger) -> None:
    """What comes before the damage was acknowledged."""
    _failed(ledger)
    with open(ledger.journal(), "ab") as journal:
        journal.write(b"no line of ours\n")


def _claimed(ledger: Ledger) -> None:
    """Killed when the key was claimed, before the run was there."""
    dies = Fault("dies", lambda call: ".jsonl" in call.target, FAULTS["SIGKILL"])
    log = ledger.project.root.parent / "claimed"
    assert ledger.attempt(*KEYED, before=partial(watch, log, dies)).code == -signal.SIGKILL
    assert list(ledger.project.data.glob("*/keys/*"))
    assert not ledger.journals()


def _carried(ledger: Ledger) -> None:
    """Exported and deleted: what brings it back makes a claim of a tombstone as well."""
    _completed(ledger)
    for args in (EXPORT, ("delete", "@last")):
        assert ledger.attempt(*args).code == 0


def _resume(ledger: Ledger) -> None:
    """Go on with the run, if there is one: all of it must be there."""
    (ledger.project.root / "mended").touch()
    if ledger.journals():
        ledger.check_output(ledger.attempt("resume", "@last"))
    else:
        assert not ledger.made, "a step was executed without a run"


def _trigger_again(ledger: Ledger, args: tuple[str, ...] = KEYED) -> None:
    """The same key gives the same run; one whose step met the fault and failed is resumed."""
    result = ledger.attempt(*args)
    if result.code == 1 and "failed before" in result.err:
        result = ledger.attempt("resume", "key:ledger/k")
    ledger.check_output(result)
    assert len(ledger.journals()) == 1


def _remove_again(ledger: Ledger, args: tuple[str, ...]) -> None:
    """Gone in the end, and its work is not done again."""
    result = ledger.attempt(*args)
    assert result.code in (0, 4), result
    assert not ledger.journals()
    made = dict(ledger.made)
    assert ledger.attempt(*LARGE).code == 4
    assert ledger.made == made


def _repair_again(ledger: Ledger) -> None:
    result = ledger.attempt("repair", "@last", "--yes")
    assert result.code == 0, result
    _resume(ledger)


def _export_again(ledger: Ledger) -> None:
    """What has the name of the export is whole, and the run is as it was."""
    exported = ledger.project.root / EXPORT[-1]
    if not exported.exists():
        assert ledger.attempt(*EXPORT).code == 0
    with tarfile.open(exported) as archive:
        files = [archive.extractfile(member) for member in archive]
        contents = [file.read() for file in files if file]
    exported.unlink()
    assert ledger.journal().read_bytes() in contents
    ledger.check_output(ledger.attempt("resume", "@last"))


def _import_again(ledger: Ledger) -> None:
    """Brought once more, it is there once, and nothing of it is executed."""
    made = dict(ledger.made)
    ledger.attempt(*IMPORT)
    assert ledger.attempt(*LARGE).code == 0
    assert (len(ledger.journals()), ledger.made) == (1, made)


def _removal(*args: str) -> Scenario:
    return Scenario(_completed, args, partial(_remove_again, args=args), 0)


_IN_TURN = ("trigger", "ledger", "--concurrency-key", "c")
SCENARIOS = {
    "create": Scenario(_nothing, ("trigger", "ledger"), _resume),
    "fail": Scenario(_nothing, ("trigger", "ledger", "-p", "fails:=1"), _resume),
    "resume": Scenario(_failed, ("resume", "@last"), _resume),
    "claim and create": Scenario(_nothing, KEYED, _trigger_again),
    "create for a claim": Scenario(_claimed, KEYED, _trigger_again),
    "in turn": Scenario(_nothing, _IN_TURN, _resume),
    "large values": Scenario(_nothing, LARGE_VALUES, _resume),
    "large result": Scenario(_nothing, LARGE, partial(_trigger_again, args=LARGE), 3),
    "delete": _removal("delete", "key:ledger/k"),
    "prune": _removal(*PRUNE),
    "repair": Scenario(_damaged, ("repair", "@last", "--yes"), _repair_again, 1),
    "export": Scenario(_completed, EXPORT, _export_again, 0),
    "adopt": Scenario(_carried, IMPORT, _import_again, 1),
}


class Bench:
    """A place of its own to try one scenario again and again."""

    def __init__(self, root: Path, name: str) -> None:
        self.scenario, self.log = SCENARIOS[name], root / "calls"
        self.ledger = Ledger(root / "ledger")
        self.scenario.prepare(self.ledger)
        self.snapshot = Snapshot(self.ledger, EXPORT[-1])
        self.calls()  # leaves compiled modules behind: from now on the calls are always the same

    def attempt(self, *faults: Fault) -> Result:
        """Run the command, and meet these faults."""
        return self.ledger.attempt(*self.scenario.args, before=partial(watch, self.log, *faults))

    def calls(self) -> list[Call]:
        """The calls that change the disk, without those of the steps themselves."""
        ledger = self.ledger
        with self.snapshot.restored():
            result = self.attempt()
            ledger.check_ended_in_order(result)
            self.code = result.code
        books = str(ledger.project.effects_path), ledger.project.env["ACKS"]
        return [call for call in calls_in(self.log) if call.file not in books]

    def meet(self, call: Call, what: str) -> None:
        """Meet one fault at this call, and recover."""
        fault = Fault(what, at(call.number), (FAULTS | SHORT)[what])
        with self.snapshot.restored():
            result = self.attempt(fault)
            try:
                self._check(result, Met(self.log, call.number), what)
                self.scenario.recover(self.ledger)
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
    if kind in ("step.completed", "step.failed"):
        return f"the {'result' if kind == 'step.completed' else 'failure'} of step {step!r}"
    return f"its {kind.removesuffix('.large')} event"
