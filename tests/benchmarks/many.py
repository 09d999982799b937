"""What is measured of many items at once: in threads, and on an event loop where durably has it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from statistics import median
from typing import Any

import durably_cli
from tests.benchmarks.bench import PROGRAMS, Bench
from tests.benchmarks.measuring import OURS, BoundHandler, Part, in_turns, run, syncs_of, told

ITEMS, SECONDS = 2_000, 0.005
MANY = 100_000
AT_ONCE = {"threads": 16, "loop": 64}
"""How many items are at once: so many threads, which the peers have as well, or tasks."""

IN_TURN = "a serial loop of step.run"
GOAL = "the goal"
SYNCS, MEMORY, REPLAY = 120, 60, 2


def drivers() -> list[str]:
    """Where items can be executed: what of `threads` and `loop` this durably has."""
    return ["threads", "loop"] if hasattr(durably_cli, "AsyncStep") else ["threads"]


def many(measured: Bench) -> Iterator[Part]:
    """Items side by side: their time, their syncs, their memory and their replay."""
    bench = measured.beside("many")
    for driver in drivers():
        name = {"threads": "many_in_threads.py", "loop": "many_on_loop.py"}[driver]
        shutil.copy(PROGRAMS / name, bench.project.root / "jobs" / name)
    mended = bench.project.root / "mended"
    mended.touch()
    for driver in drivers():
        yield from _side_by_side(bench, driver)
    mended.unlink()
    for driver in drivers():
        yield from _replayed(bench, driver)


def _trigger(
    bench: Bench, job: str, count: int, seconds: float = 0, at_once: int = 16
) -> list[str]:
    given = json.dumps({"count": count, "seconds": seconds, "concurrency": at_once})
    return bench.durably("trigger", job, "-i", given)


def _map(bench: Bench, driver: str, count: int, seconds: float = 0) -> list[str]:
    jobs = {"threads": "many-in-threads", "loop": "many-on-loop"}
    return _trigger(bench, jobs[driver], count, seconds, AT_ONCE[driver])


def _side_by_side(bench: Bench, driver: str) -> Iterator[Part]:
    """The time of items that wait, beside the same in turn and the peers; and their syncs."""
    commands = {
        OURS: _map(bench, driver, ITEMS, SECONDS),
        IN_TURN: _trigger(bench, "many-in-turn", ITEMS, SECONDS),
    }
    works: dict[str, BoundHandler] = {
        name: lambda command=command: float(run(command, **bench.options))
        for name, command in commands.items()
    }
    peers = list(bench.able("many"))
    for name, command, data in peers:
        works[name] = told([*command, str(ITEMS), data])
    found = in_turns(works, max(1, bench.rounds // 3))
    limits = {name: 0.333 for name, *_ in peers} | {IN_TURN: 0.1}
    what = f"{ITEMS:,} items of 5 ms, {AT_ONCE[driver]} at once {_in(driver)}"
    yield Part(what, "s", found, limits)

    everything = {**commands, **{name: [*cmd, str(ITEMS), at] for name, cmd, at in peers}}
    counted = {
        name: syncs_of(command, **(bench.options if name in commands else {}))
        for name, command in everything.items()
    }
    syncs = {name: float(number) for name, number in counted.items() if number is not None}
    if OURS in syncs:
        goal = _goal(driver, SYNCS)
        what = f"syncs of {ITEMS:,} items {_in(driver)}"
        yield Part(what, "in all", syncs | goal, dict.fromkeys(goal, 1))


def _replayed(bench: Bench, driver: str) -> Iterator[Part]:
    """A run of very many items whose last step fails, and resumes of it that fail there as well."""
    first = _watched(bench, _map(bench, driver, MANY), code=1)
    journal = max(bench.runs.glob("*/*.jsonl"), key=lambda path: path.stat().st_mtime)
    bare = "json.loads of the same file, many lines at once"
    resumed = list[dict[str, float]]()
    beside = list[float]()
    for _ in range(max(1, bench.rounds // 3)):
        resumed.append(_watched(bench, bench.durably("resume", journal.stem), code=1))
        beside.append(told(bench.program("bare_reading", str(journal)))())
    items = f"{MANY:,} items {_in(driver)}"
    for what, of in (("run", [first]), ("resume", resumed)):
        figures = {OURS: median(each["mib"] for each in of)} | (goal := _goal(driver, MEMORY))
        yield Part(f"memory of a {what} of {items}", "MiB", figures, dict.fromkeys(goal, 1))
    yield Part(f"CPU of an item, of {items}", "µs", {OURS: first["cpu"] / MANY * 1e6})
    figures = {OURS: median(each["seconds"] for each in resumed)} | (goal := _goal(driver, REPLAY))
    what = f"resume of {items}, start and end included"
    yield Part(what, "s", figures | {bare: median(beside)}, dict.fromkeys(goal, 1))


def _goal(driver: str, figure: float) -> dict[str, float]:
    """What is aimed at on a loop, as what durably is beside."""
    return {GOAL: figure} if driver == "loop" else {}


def _in(driver: str) -> str:
    return "in threads" if driver == "threads" else "on a loop"


def _watched(bench: Bench, command: list[str], *, code: int) -> dict[str, float]:
    """What a command takes that is to end with this code."""
    found: dict[str, Any] = json.loads(run(bench.program("watched", *command), **bench.options))
    if found["code"] != code:
        raise RuntimeError(f"{' '.join(command)} ended with {found['code']}")
    return found
