"""Each call that changes the disk is killed, interrupted, or fails; and then the run is resumed."""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.ledger import Ledger
from tests.harness.order import Order
from tests.harness.scenarios import EXPORT, KEYED, SCENARIOS, Bench
from tests.harness.short_writes import EVERY, NONE, ShortWrite
from tests.harness.system_calls import Call, Met, fault, journal_of, traced

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

FAULTS = ("signal=SIGKILL", "error=EIO", "error=ENOSPC", "signal=SIGINT", "signal=SIGTERM")
SHORT = ("create and complete", "resume", "keyed trigger", "in turn")


def try_all(benches: Sequence[Bench], cases: list[Callable[[Bench], object]]) -> int:
    """Try all cases, shared out among the benches; how many there were."""

    def share(number: int) -> None:
        for case in cases[number :: len(benches)]:
            case(benches[number])

    with ThreadPoolExecutor(len(benches)) as pool:
        for done in [pool.submit(share, number) for number in range(len(benches))]:
            done.result()
    return len(cases)


def benches_for(name: str, folder: Path, number: int) -> list[Bench]:
    return [Bench(folder / f"bench-{n}", SCENARIOS[name]) for n in range(number)]


def faults_at(calls: list[Call], faults: tuple[str, ...]) -> list[Callable[[Bench], object]]:
    return [partial(Bench.meet, call=call, what=what) for call in calls for what in faults]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_some_calls(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    benches = benches_for(name, tmp_path, 1)
    cases = random.sample(faults_at(benches[0].calls(), FAULTS), 2)
    count(try_all(benches, cases))


@pytest.mark.campaign
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_fault_at_every_call(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    benches = benches_for(name, tmp_path, 2)
    calls = benches[0].calls()
    assert len(calls) > 10
    count(try_all(benches, faults_at(calls, FAULTS)))


def test_a_failed_sync_of_a_result_is_told_and_never_tried_again(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    (bench,) = benches_for("create and complete", tmp_path, 1)
    syncs = [call for call in bench.calls() if call.name == "fdatasync" and ".jsonl" in call.file]
    assert len(syncs) == 5, "the beginning, three steps, the end"
    count(try_all([bench], faults_at(syncs[1:4], ("error=EIO",))))


class Expected(NamedTuple):
    """A command, which steps it executes, and how often it syncs its journal besides."""

    prepare: Callable[[Ledger], object]
    args: tuple[str, ...]
    steps: tuple[str, ...]
    other_syncs: int


def _nothing(ledger: Ledger) -> None:
    ledger.project.run("jobs")  # compiles modules


def _failed(ledger: Ledger) -> None:
    assert ledger.attempt("trigger", "ledger", "-p", "fails:=1").code == 1
    (ledger.project.root / "mended").touch()


def _claimed(ledger: Ledger) -> None:
    """Killed when the key was claimed, before the run was there."""
    before_run = Call("linkat", 2, "")
    log = ledger.project.root.parent / "met"
    killed = ledger.attempt(*KEYED, under=fault(before_run, "signal=SIGKILL", log))
    assert killed.code == -signal.SIGKILL
    assert list(ledger.project.data.glob("*/keys/*"))
    assert not ledger.journals()


LARGE_VALUES = ("trigger", "ledger", "-p", "size:=70000", "-p", f"pad={70_000 * 'x'}")
"""Its input, results and output stand in files of their own."""


def _damaged(ledger: Ledger) -> None:
    _failed(ledger)
    with open(journal_of(ledger), "ab") as journal:
        journal.write(b"no line of ours\n")


LARGE = (*KEYED, "-p", "large:=true")


def _large(ledger: Ledger) -> None:
    ledger.check_output(ledger.attempt(*LARGE))


def _carried(ledger: Ledger) -> None:
    """Exported and deleted: what brings it back makes a claim of a tombstone as well."""
    _large(ledger)
    for args in (EXPORT, ("delete", "@last")):
        assert ledger.attempt(*args).code == 0


ORDERS = {
    "create": Expected(_nothing, ("trigger", "ledger"), ("0", "1", "2"), 2),
    "fail": Expected(_nothing, ("trigger", "ledger", "-p", "fails:=2"), ("0", "1", "2"), 2),
    "resume": Expected(_failed, ("resume", "@last"), ("1", "2"), 2),
    "large values": Expected(_nothing, LARGE_VALUES, ("0", "1", "2"), 2),
    "claim and create": Expected(_nothing, KEYED, ("0", "1", "2"), 2),
    "create for a claim": Expected(_claimed, KEYED, ("0", "1", "2"), 2),
    "large result": Expected(_nothing, LARGE, ("0", "1", "2"), 3),
    "repair": Expected(_damaged, ("repair", "@last", "--yes"), (), 1),
    "delete": Expected(_large, ("delete", "@last"), (), 0),
    "adopt": Expected(_carried, ("import", EXPORT[-1], "--adopt"), (), 1),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_system_calls(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    expected = ORDERS[name]
    ledger = Ledger(tmp_path / "bench")
    expected.prepare(ledger)
    calls, _ = traced(ledger, expected.args)
    project, keyed = ledger.project, expected.args[: len(KEYED)] == KEYED
    order = Order(project.data, project.effects_path, keyed=keyed).follow(calls)
    assert tuple(order.functions) == expected.steps
    assert order.syncs == len(expected.steps) + expected.other_syncs
    count(0)  # nothing goes wrong here


def cut_short(bench: Bench, short: ShortWrite) -> None:
    """Meet one short write, and recover."""
    with bench.snapshot.restored() as ledger:
        result = ledger.attempt(*bench.scenario.args, command=short.command())
        try:
            ledger.check_ended_in_order(result)
            assert result.code == (-signal.SIGKILL if short.dies else bench.code)
            for data in map(Path.read_bytes, ledger.journals()):
                whole = data[: data.rfind(b"\n") + 1]
                assert all(map(json.loads, whole.splitlines()))
                assert short.dies or whole == data
            bench.scenario.recover(ledger)
        except AssertionError as error:
            raise AssertionError(f"{short}: {error}\n{result}") from error


def short_writes(bench: Bench) -> list[Callable[[Bench], object]]:
    """Every write cut to its first byte, in its middle, and before its last byte."""
    log = bench.root / "writes"
    with bench.snapshot.restored() as ledger:
        ledger.project.env["WRITES"] = str(log)
        ledger.attempt(*bench.scenario.args, command=ShortWrite(NONE, 100).command())
        del ledger.project.env["WRITES"]
    return [
        partial(cut_short, short=ShortWrite(number, percent, dies))
        for number in range(1, int(log.read_text()) + 1)
        for percent in (0, 50, 99)
        for dies in (True, False)
    ]


def test_every_write_is_one_byte(tmp_path: Path, count: Callable[[int], None]) -> None:
    benches = [*benches_for("create and complete", tmp_path, 1)]
    count(try_all(benches, [partial(cut_short, short=ShortWrite(EVERY, 0))]))


def test_some_short_writes(tmp_path: Path, count: Callable[[int], None]) -> None:
    benches = benches_for("resume", tmp_path, 1)
    count(try_all(benches, random.sample(short_writes(benches[0]), 2)))


@pytest.mark.campaign
@pytest.mark.parametrize("name", SHORT)
def test_every_short_write(name: str, tmp_path: Path, count: Callable[[int], None]) -> None:
    benches = benches_for(name, tmp_path, 2)
    cases = short_writes(benches[0])
    cases.append(partial(cut_short, short=ShortWrite(EVERY, 0)))
    count(try_all(benches, cases))


def test_a_result_neither_synced_nor_cut_off_is_not_said_to_be_unsaved(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    (bench,) = benches_for("create and complete", tmp_path, 1)
    syncs = [call for call in bench.calls() if call.name == "fdatasync" and ".jsonl" in call.file]
    with bench.snapshot.restored() as ledger:
        both = "error=EIO ftruncate:error=EROFS"  # what a disk does that became read-only
        result = ledger.attempt(*bench.scenario.args, under=fault(syncs[2], both, bench.log))
        assert Met(bench.log, syncs[2], both).not_saved() is not None
        assert result.code == 74
        assert b'"type":"step.completed","name":"step-1"' in journal_of(ledger).read_bytes()
        assert "the result of step 'step-1' was not saved" not in result.err, result
        bench.scenario.recover(ledger)
    count(1)
