"""What a command does when a system call of it goes wrong, and how it is mended after."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.conftest import Result
from tests.harness.ledger import Ledger, Snapshot
from tests.harness.system_calls import Call, Met, changes_disk, fault, journal_of, traced

KEYED = ("trigger", "ledger", "--idempotency-key", "k")
EXPORT = ("export", "@last", "-o", "run.tar.gz")
PRUNE = ("prune", "--older-than", "0s", "--yes")


class Scenario(NamedTuple):
    """A command, what is there before it, and how it is seen to that nothing was lost."""

    prepare: Callable[[Ledger], object]
    args: tuple[str, ...]
    recover: Callable[[Ledger], object]


def _nothing(ledger: Ledger) -> None:
    pass


def _failed(ledger: Ledger) -> None:
    assert ledger.attempt("trigger", "ledger", "-p", "fails:=1").code == 1


def _completed(ledger: Ledger) -> None:
    ledger.check_output(ledger.attempt(*KEYED))


def _damaged(ledger: Ledger) -> None:
    """What comes before the damage was acknowledged."""
    _failed(ledger)
    with open(journal_of(ledger), "ab") as journal:
        journal.write(b"no line of ours\n")


def _resume(ledger: Ledger) -> None:
    """Go on with the run, if there is one: all of it must be there."""
    (ledger.project.root / "mended").touch()
    if ledger.journals():
        ledger.check_output(ledger.attempt("resume", "@last"))
    else:
        assert not ledger.made, "a step was executed without a run"


def _trigger_again(ledger: Ledger) -> None:
    """The same key gives the same run; one whose step met the fault and failed is resumed."""
    result = ledger.attempt(*KEYED)
    if result.code == 1 and "failed before" in result.err:
        result = ledger.attempt("resume", "key:ledger/k")
    ledger.check_output(result)
    assert len(ledger.journals()) == 1


def _delete_again(ledger: Ledger) -> None:
    """Gone in the end, and its work is not done again."""
    result = ledger.attempt("delete", "key:ledger/k")
    assert result.code in (0, 4), result
    _is_gone(ledger)


def _prune_again(ledger: Ledger) -> None:
    result = ledger.attempt(*PRUNE)
    assert result.code == 0, result
    _is_gone(ledger)


def _is_gone(ledger: Ledger) -> None:
    assert not ledger.journals()
    made = dict(ledger.made)
    assert ledger.attempt(*KEYED).code == 4
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
    assert journal_of(ledger).read_bytes() in contents
    ledger.check_output(ledger.attempt("resume", "@last"))


SCENARIOS = {
    "create and complete": Scenario(_nothing, ("trigger", "ledger"), _resume),
    "fail": Scenario(_nothing, ("trigger", "ledger", "-p", "fails:=1"), _resume),
    "resume": Scenario(_failed, ("resume", "@last"), _resume),
    "keyed trigger": Scenario(_nothing, KEYED, _trigger_again),
    "in turn": Scenario(_nothing, ("trigger", "ledger", "--concurrency-key", "c"), _resume),
    "delete": Scenario(_completed, ("delete", "key:ledger/k"), _delete_again),
    "prune": Scenario(_completed, PRUNE, _prune_again),
    "repair": Scenario(_damaged, ("repair", "@last", "--yes"), _repair_again),
    "export": Scenario(_completed, EXPORT, _export_again),
}


class Bench:
    """A place of its own to try one scenario again and again."""

    def __init__(self, root: Path, scenario: Scenario) -> None:
        self.scenario, self.root = scenario, root
        self.log = root / "met"
        self._ledger = Ledger(root)
        scenario.prepare(self._ledger)
        self.snapshot = Snapshot(self._ledger)
        self.calls()  # leaves compiled modules behind: from now on the calls are always the same

    def calls(self) -> list[Call]:
        """The calls of the write path."""
        with self.snapshot.restored() as ledger:
            found, self.code = traced(ledger, self.scenario.args)
            (ledger.project.root / EXPORT[-1]).unlink(missing_ok=True)
            return [call for call in found if changes_disk(call, ledger.project.data)]

    def meet(self, call: Call, what: str) -> Result:
        """Meet one fault, and recover."""
        with self.snapshot.restored() as ledger:
            result = ledger.attempt(*self.scenario.args, under=fault(call, what, self.log))
            try:
                self._check(ledger, result, Met(self.log, call, what), what)
                self.scenario.recover(ledger)
            except AssertionError as error:
                raise AssertionError(f"{what} at {call}: {error}\n{result}") from error
            return result

    @staticmethod
    def _check(ledger: Ledger, result: Result, met: Met, what: str) -> None:
        ledger.check_ended_in_order(result)
        ledger.acknowledge(met.durable_steps())
        if what.startswith("error="):
            met.check_file_was_left_alone()
            check_what_was_not_saved(ledger, result, met)


def check_what_was_not_saved(ledger: Ledger, result: Result, met: Met) -> None:
    """It said what was not saved, and that is not in the journal's bytes."""
    found = met.not_saved()
    if found is None:
        return
    event, size = found
    assert result.code == 74, "an append failed, and it went on"
    assert f"{_told(event)} was not saved" in result.err
    assert journal_of(ledger).stat().st_size == size, "what was not saved is in the journal"


def _told(event: str) -> str:
    kind, _, step = event.partition(" ")
    if kind in ("step.completed", "step.failed"):
        return f"the {'result' if kind == 'step.completed' else 'failure'} of step {step!r}"
    return f"its {kind} event"
