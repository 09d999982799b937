"""A tick that finds nothing to do, beside a list in a pipe, however many runs there are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from durably_cli.journal.events import FORMAT, RunCreated, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.wait_events import RunSuspended, StepWaiting
from durably_cli.system import clock
from durably_cli.values.strict_json import Json
from tests.benchmarks import stores
from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import OURS, Part, in_turns, process, run

RUNS = (0, 100, 100_000)
WAITING = (200, 2_000)
LIST = "list, of the same"
LIMIT = 1.5


def ticks(measured: Bench) -> Iterator[Part]:
    """Stores of runs that have ended, and one of 100,000 in which some wait besides."""
    for number in RUNS:
        bench = measured.beside(f"ticks-{number}")
        stores.fill(bench.runs, number)
        yield _beside_a_list(f"tick, nothing due, {number:,} runs", bench, LIMIT)
    for number in WAITING:
        for _ in range(number):
            _wait(bench)
        yield _beside_a_list(f"the same, and {number:,} that wait", bench, None)


def _beside_a_list(work: str, bench: Bench, limit: float | None) -> Part:
    run(bench.durably("tick"), **bench.options)
    time.sleep(1.1)  # until what has changed just now is believed
    run(bench.durably("tick"), **bench.options)
    works = {
        OURS: process(bench.durably("tick"), **bench.options),
        LIST: process(bench.durably("list"), **bench.options),
    }
    found = {name: 1000 * seconds for name, seconds in in_turns(works, 3 * bench.rounds).items()}
    return Part(work, "ms", found, {} if limit is None else {LIST: limit})


def _wait(bench: Bench) -> None:
    """A run that waits for tomorrow."""
    now = datetime.now(UTC)
    at, until = clock.format_time(now), clock.format_time(now + timedelta(days=1))
    run_id = stores.id_made_at(now)
    events: list[Event] = [
        RunCreated(FORMAT, run_id, "nap", Json("{}"), at, project="/p", pid=1, host="h"),
        RunStarted(1, 1, "h", at),
        StepWaiting("nap", "sleep", at, until),
        RunSuspended(at, until),
    ]
    stores.write(bench.runs, run_id, iter(events))
