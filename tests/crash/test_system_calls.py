"""Each call that changes the disk is killed, interrupted, or fails; and then the run is resumed."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.harness import again
from tests.harness.order import Order
from tests.harness.quick import sizes, some_quick
from tests.harness.scenarios import FAULTS, KEYED, SCENARIOS, SHORT, SIGNALS, Bench
from tests.harness.system_calls import WRITES, Call, Fault, Met, at, calls_in, fails, short

Count = Callable[[int], None]


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(tmp_path, getattr(request, "param", "create"))


each_scenario = pytest.mark.parametrize("bench", some_quick(SCENARIOS, 7), indirect=True)


def is_written(bench: Bench, call: Call) -> bool:
    """Is it a write to durably's own files?"""
    return call.name in WRITES and call.file.startswith(str(bench.ledger.project.data))


@pytest.mark.parametrize("most", sizes(2, None))
@each_scenario
def test_a_fault_at_some_calls(bench: Bench, most: int | None, count: Count) -> None:
    """Of every fault at every call, and every write cut short."""
    calls = bench.calls()
    shortened = [call for call in calls if is_written(bench, call) and len(call.data) > 1]
    cases = [*product(calls, FAULTS), *product(shortened, SHORT)]
    cases = cases if most is None else random.sample(cases, most)
    for case in cases:
        bench.meet(*case)
    count(len(cases))


@pytest.mark.long
def test_a_signal_at_each_call_stops_the_run_which_goes_on(bench: Bench, count: Count) -> None:
    calls = bench.calls()
    for call in calls:
        bench.meet(call, random.choice(SIGNALS).name)
    count(len(calls))


def result_syncs(bench: Bench) -> list[Call]:
    """The syncs of the results of three steps."""
    calls = bench.calls()
    syncs = [call for call in calls if call.name == "fdatasync" and ".jsonl" in call.file]
    assert len(syncs) == 5, "the beginning, three steps, the end"
    return syncs[1:4]


def test_a_failed_sync_of_a_result_is_told_and_never_tried_again(
    bench: Bench, count: Count
) -> None:
    for call in result_syncs(bench):
        bench.meet(call, "EIO")
    count(3)


def test_every_write_is_one_byte(bench: Bench, count: Count) -> None:
    with bench.restored():
        result = bench.attempt(Fault("short", lambda call: is_written(bench, call), short(0)))
        bench.check_lines(whole=True)
        bench.ledger.check_output(result)
    count(1)


@each_scenario
def test_the_order_of_system_calls(bench: Bench, count: Count) -> None:
    with bench.restored() as ledger:
        (ledger.project.root / "mended").touch()
        ledger.check_ended_in_order(bench.attempt())
    project, keyed = ledger.project, bench.scenario.command.startswith(KEYED)
    order = Order(project.data, project.effects_path, keyed=keyed).follow(calls_in(bench.log))
    assert order.syncs == len(order.started) + bench.scenario.syncs
    count(0)  # nothing goes wrong here


def test_a_result_neither_synced_nor_cut_off_is_not_said_to_be_unsaved(
    bench: Bench, count: Count
) -> None:
    sync = result_syncs(bench)[1]
    with bench.restored() as ledger:
        result = bench.attempt(
            Fault("EIO", at(sync.number), fails(errno.EIO)),
            # what a disk does that became read-only
            Fault("EROFS", lambda call: call.name == "ftruncate", fails(errno.EROFS)),
        )
        assert Met(bench.log, sync.number).not_saved() is not None
        assert result.code == 74
        assert b'"type":"step.completed","name":"step-1"' in ledger.journal().read_bytes()
        assert "the result of step 'step-1' was not saved" not in result.err, result
        bench.recover()
    count(1)


@pytest.mark.parametrize("most", sizes(2, None))
@pytest.mark.parametrize("name", again.SCENARIOS)
def test_killed_at_some_calls_nothing_is_done_again_that_nobody_wants(
    name: str, most: int | None, tmp_path: Path, count: Count
) -> None:
    """Of steps in doubt, of redone ones and their cascades, of forks and of Files."""
    bench = again.Bench(tmp_path, name)
    calls = bench.calls()
    drawn = calls if most is None else random.sample(calls, most)
    for call in drawn:
        bench.kill_at(call)
    count(len(drawn))
