"""Each call that changes the disk is killed, interrupted, or fails; and then the run is resumed."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Result
from tests.crash.ledger import Ledger, Snapshot
from tests.crash.system_calls import WRITE_PATH, Call, changes_disk, fault, journal_of, traced

FAULTS = ("signal=SIGKILL", "error=EIO", "error=ENOSPC", "signal=SIGINT", "signal=SIGTERM")


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
    ledger.check_output(ledger.attempt("trigger", "ledger", "--idempotency-key", "k"))


def _damaged(ledger: Ledger) -> None:
    """The result of the last step is damaged: what comes before it was acknowledged."""
    _failed(ledger)
    with open(journal_of(ledger), "ab") as journal:
        journal.write(b"no line of ours\n")


def _resume(ledger: Ledger) -> None:
    """Go on with the run, if there is one: all of it must be there."""
    (ledger.project.root / "mended").touch()
    if ledger.project.run("list").out:
        ledger.check_output(ledger.attempt("resume", "@last"))
    else:
        assert not ledger.made, "a step was executed without a run"


def _trigger_again(ledger: Ledger) -> None:
    """The same key gives the same run."""
    ledger.check_output(ledger.attempt("trigger", "ledger", "--idempotency-key", "k"))
    assert len(ledger.project.runs()) == 1


def _delete_again(ledger: Ledger) -> None:
    """Gone in the end, and its work is not done again."""
    ledger.project.run("trigger", "ledger", "--idempotency-key", "k", expect=None)
    result = ledger.attempt("delete", "key:ledger/k")
    assert result.code in (0, 4), result
    ledger.project.run("prune", "--older-than", "0s", "--yes")
    assert not ledger.project.runs()
    assert ledger.attempt("trigger", "ledger", "--idempotency-key", "k").code == 4


def _repair_again(ledger: Ledger) -> None:
    result = ledger.attempt("repair", "@last", "--yes")
    assert result.code == 0, result
    _resume(ledger)


SCENARIOS = {
    "create and complete": Scenario(_nothing, ("trigger", "ledger"), _resume),
    "fail": Scenario(_nothing, ("trigger", "ledger", "-p", "fails:=1"), _resume),
    "resume": Scenario(_failed, ("resume", "@last"), _resume),
    "keyed trigger": Scenario(
        _nothing, ("trigger", "ledger", "--idempotency-key", "k"), _trigger_again
    ),
    "in turn": Scenario(_nothing, ("trigger", "ledger", "--concurrency-key", "c"), _resume),
    "delete": Scenario(_completed, ("delete", "key:ledger/k"), _delete_again),
    "repair": Scenario(_damaged, ("repair", "@last", "--yes"), _repair_again),
}


class Bench:
    """A place of its own to try one scenario again and again."""

    def __init__(self, root: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self._ledger = Ledger(root)
        scenario.prepare(self._ledger)
        self._snapshot = Snapshot(self._ledger)

    def calls(self) -> list[Call]:
        """The calls of the write path."""
        with self._snapshot.restored() as ledger:
            return [
                *filter(changes_disk, traced(ledger, self.scenario.args, WRITE_PATH)),
            ]

    def meet(self, call: Call, what: str) -> Result:
        """Meet one fault, and recover."""
        with self._snapshot.restored() as ledger:
            result = ledger.attempt(*self.scenario.args, under=fault(call, what))
            try:
                ledger.check_ended_in_order(result)
                self.scenario.recover(ledger)
            except AssertionError as error:
                raise AssertionError(f"{what} at {call}: {error}\n{result}") from error
            return result


def meet_all(
    tmp_path: Path, scenario: Scenario, faults: tuple[str, ...], *, chosen: int | None
) -> int:
    """Every fault at every call, or so many chosen at random; how many there were."""
    benches = [Bench(tmp_path / f"bench-{n}", scenario) for n in range(2)]
    cases = [(call, what) for call in benches[0].calls() for what in faults]
    assert len(cases) > 20 * len(faults)
    if chosen is not None:
        cases = random.sample(cases, chosen)

    def try_all(bench: Bench, share: list[tuple[Call, str]]) -> None:
        for call, what in share:
            bench.meet(call, what)

    with ThreadPoolExecutor(len(benches)) as pool:
        for done in [pool.submit(try_all, bench, cases[n::2]) for n, bench in enumerate(benches)]:
            done.result()
    return len(cases)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_some_calls(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    count(meet_all(tmp_path, SCENARIOS[name], FAULTS, chosen=12))


@pytest.mark.campaign
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_fault_at_every_call(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    count(meet_all(tmp_path, SCENARIOS[name], FAULTS, chosen=None))
