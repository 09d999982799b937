"""What is measured: steps, replays, starts, lists, memory and crowds.

Each is measured in turns with what bounds it from below, and with the peers. The limits are ratios.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from durably_cli.system import clock, ids
from tests.benchmarks import stores
from tests.benchmarks.bench import TRIGGER, Bench, drop_caches
from tests.benchmarks.many import many
from tests.benchmarks.measuring import (
    OURS,
    BoundHandler,
    Part,
    in_turns,
    peak_mib,
    process,
    run,
    told,
)
from tests.benchmarks.ticks import ticks
from tests.benchmarks.workers import workers

STEPS = 2_000
PROGRAMS = 200
TRANSACTIONS = 300
REPLAYED = 100_000
RESUMED = 10_000
RUNS = 100_000
LARGE_STEPS, LARGE_RESULT = 31_000, 32_000
CROWD = 50
PATIENCE = 120
"""How many seconds a crowd may take."""

NOT_DONE = float("inf")
"""The time of a crowd of which some failed, or took longer."""

MODULES = 100

BARE_COMMANDS = "a bare Typer app of as many commands"
BARE_MODELS = "a bare script with Typer, pydantic and the models"


def steps(bench: Bench) -> Iterator[Part]:
    """Durable steps a second, and whether the 100,000th costs what the first ones cost."""
    races = [_race(bench) for _ in range(bench.rounds)]
    race = {kind: median(each[kind] for each in races) for kind in races[0]}
    works = {}
    for name, command, data in bench.able("steps"):
        works[name] = told([*command, str(STEPS), data])
    peers = {
        name: each / STEPS for name, each in in_turns(works, max(1, bench.rounds // 3)).items()
    }
    bare = {f"a bare loop, {kind}": each for kind, each in race.items() if kind != OURS}
    seconds = {OURS: race[OURS], **bare, **peers}
    limits = {"a bare loop, two lines": 0.85, "a bare loop, one line": 0.7}
    found = {name: 1 / each for name, each in seconds.items()}
    yield Part("durable steps", "a second", found, limits, more_is_better=True)

    sizes = {OURS: 100_000, "a step among 1,000": 1_000}
    works = {name: _own_steps(bench, size) for name, size in sizes.items()}
    each = {name: 1e6 * seconds / sizes[name] for name, seconds in in_turns(works, 3).items()}
    yield Part("a step among 100,000", "µs", each, {"a step among 1,000": 1.15})


def _race(bench: Bench) -> dict[str, float]:
    """The seconds that a step takes, and bare loops in turns with it in the same process."""
    folder = json.dumps(str(bench.folder))
    seconds: dict[str, float] = json.loads(
        run(bench.durably("trigger", "race", "-i", folder), **bench.options)
    )
    return seconds


def _own_steps(bench: Bench, number: int) -> BoundHandler:
    return lambda: float(run(bench.durably("trigger", "steps", "-i", str(number)), **bench.options))


def programs(bench: Bench) -> Iterator[Part]:
    """Quick programs as steps of a run that has its supervisor."""
    command = bench.durably("trigger", "programs", "-i", str(PROGRAMS))
    found = [json.loads(run(command, **bench.options)) for _ in range(bench.rounds)]
    each = {kind: 1000 * median(turn[kind] for turn in found) for kind in found[0]}
    yield Part("a program as a step", "ms", each, {"subprocess.run, and a plain step": 1.5})


def transactions(bench: Bench) -> Iterator[Part]:
    """Small writes to a SQLite file, each with the result of its step."""
    command = bench.durably("trigger", "transactions", "-i", str(TRANSACTIONS))
    found = [json.loads(run(command, **bench.options)) for _ in range(bench.rounds)]
    each = {kind: 1000 * median(turn[kind] for turn in found) for kind in found[0]}
    yield Part("a write in a transaction", "ms", each, {"by hand in a plain step": 1.3})


def replays(bench: Bench) -> Iterator[Part]:
    """Reading a journal with every check, and then handing its results to the job, one by one."""
    path = str(_killed_behind(bench, REPLAYED))
    bare = "json.loads of the same file, many lines at once"
    what = {"read": "a step read for its replay", "handed_back": "a step read and handed back"}
    works = {name: told(bench.program("replaying", path), name) for name in what}
    works[bare] = told(bench.program("bare_reading", path))
    found = {name: 1e6 * each / REPLAYED for name, each in in_turns(works, bench.rounds).items()}
    yield Part(what["read"], "µs", {OURS: found["read"], bare: found[bare]}, {bare: 3})
    yield Part(what["handed_back"], "µs", {OURS: found["handed_back"], bare: found[bare]})


def resumes(bench: Bench) -> Iterator[Part]:
    """Whole processes that resume a run of which many steps have finished, started at once."""
    works, waits = {OURS: _resume(bench)}, defaultdict[str, list[float]](list)
    for name, command, data in bench.able("replay"):
        prepare = [*command[:-1], "prepare", str(RESUMED), data]
        works[name] = _recovery(prepare, [*command, data], waits[name])
    found = in_turns(works, max(1, bench.rounds // 3))
    yield Part(f"resume right after a crash, {RESUMED:,} steps finished", "s", found, _tenth(found))
    awake = {name: each - median(waits[name] or [0]) for name, each in found.items()}
    yield Part(
        f"resume of {RESUMED:,} finished steps, no lease waited for", "s", awake, _tenth(awake)
    )


def again(bench: Bench) -> Iterator[Part]:
    """The plan of a resume, and a fork that replays all, beside an inspect of the same run."""
    killed, ended = _killed_behind(bench, RESUMED).stem, _ended_behind(bench, RESUMED).stem
    works = {
        "plan": process(bench.durably("resume", killed, "--dry-run"), **bench.options),
        "inspect": process(bench.durably("inspect", killed), **bench.options),
        "fork": process(bench.durably("fork", ended, "-q"), **bench.options),
        "inspect of an ended one": process(bench.durably("inspect", ended), **bench.options),
    }
    found = in_turns(works, bench.rounds)
    steps, looked = f"{RESUMED:,} finished steps", "inspect of it"
    for name, ours, beside in (
        (f"the plan of a resume of {steps}", "plan", "inspect"),
        (f"fork of {steps}, all replayed", "fork", "inspect of an ended one"),
    ):
        yield Part(name, "s", {OURS: found[ours], looked: found[beside]}, {looked: 1.2})


def _ended_behind(bench: Bench, number: int) -> Path:
    """The journal of a run that has completed behind so many steps."""
    at, run_id = clock.now(), stores.id_made_at(datetime.now(UTC))
    events = stores.story(run_id, "steps", at, given=str(number), steps=number)
    return stores.write(bench.runs, run_id, iter(events))


def _killed_behind(bench: Bench, number: int, size: int = 0) -> Path:
    """The journal of a run that was killed behind so many steps; `size` is that of a result."""
    at, run_id = clock.now(), stores.id_made_at(datetime.now(UTC))
    events = list(stores.story(run_id, "steps", at, given=str(number), steps=number, size=size))
    return stores.write(bench.runs, run_id, iter(events[:-1]))


def _resume(bench: Bench) -> BoundHandler:
    def work() -> float:
        run_id = _killed_behind(bench, RESUMED).stem
        return process(bench.durably("resume", run_id), **bench.options)()

    return work


def _recovery(prepare: list[str], replay: list[str], waits: list[float]) -> BoundHandler:
    """How long a peer's process takes, and how much of that it waits for the dead one's lease."""
    folder = Path(replay[-1])

    def work() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(prepare, capture_output=True, check=False)
        begun = time.perf_counter()
        waits.append(json.loads(run(replay)).get("waited", 0))
        return time.perf_counter() - begun

    return work


def _tenth(found: dict[str, float]) -> dict[str, float]:
    """The limit: a tenth of the best of the others."""
    others = [name for name in found if name != OURS]
    return {min(others, key=found.__getitem__): 0.1} if others else {}


def starts(measured: Bench) -> Iterator[Part]:
    """Whole processes: a list in a pipe, and a run of three steps."""
    bench = measured.beside("starts")
    works = {
        OURS: process(bench.durably("list"), **bench.options),
        BARE_COMMANDS: process(bench.program("bare_commands", "list")),
        "python -c pass": process([sys.executable, "-c", "pass"]),
    }
    found = in_turns(works, 4 * bench.rounds)
    yield Part("list in a pipe", "ms", _ms(found), {BARE_COMMANDS: 1.2})

    trigger = process(bench.durably(*TRIGGER), **bench.options)
    works = {OURS: trigger, BARE_MODELS: process(bench.program("bare_models"))}
    for name, command, data in bench.able("trigger"):
        works[name] = process([*command, data])
    found = in_turns(works, 2 * bench.rounds)
    yield Part("trigger of 3 typed steps", "ms", _ms(found), {BARE_MODELS: 1.25})

    others = [bench.project.root / "jobs" / f"other_{number}.py" for number in range(MODULES)]

    def among(number: int) -> BoundHandler:
        def work() -> float:
            for path in others[:number]:
                path.write_text("import asyncio, json\n")
            try:
                return trigger()
            finally:
                for path in others[:number]:
                    path.unlink()

        return work

    works = {OURS: among(MODULES), "without them": among(0)}
    found = in_turns(works, 3 * bench.rounds)
    yield Part(f"trigger beside {MODULES} other modules", "ms", _ms(found), {"without them": 1.1})


def _ms(found: dict[str, float]) -> dict[str, float]:
    return {name: 1000 * seconds for name, seconds in found.items()}


def lists(bench: Bench) -> Iterator[Part]:
    """Looking for runs among 100,000: warm, cold, and when one has just crashed."""
    few, many = bench.beside("few"), bench.beside("many")
    stores.fill(few.runs, 100)
    oldest = stores.fill(many.runs, RUNS)[0]
    failed = ("list", "--status", "failed")
    plain = f"the newest 20 of {RUNS:,}"

    def part(work: str, args: tuple[str, ...], limit: float, before: Callable[[], object]) -> Part:
        def asked() -> float:
            before()
            return process(many.durably(*args), **many.options)()

        def known() -> float:
            before()
            return process(few.durably("list"), **few.options)()

        works = {OURS: asked, "list, of 100": known}
        return Part(work, "ms", _ms(in_turns(works, 2 * bench.rounds)), {"list, of 100": limit})

    begun = time.perf_counter()
    run(many.durably("list", "--job", stores.RARE), **many.options)
    yield Part(f"making the index of {RUNS:,}", "s", {OURS: time.perf_counter() - begun})
    yield part(f"list: {plain}", ("list",), 1.1, _nothing)
    yield part("list --status failed", failed, 3, _nothing)
    yield part("list --job of a single run", ("list", "--job", stores.RARE), 3, _nothing)
    yield part("list --label", ("list", "--label", "team=c"), 3, _nothing)
    yield part("list --since 30d", ("list", "--since", "30d"), 3, _nothing)
    yield part("inspect, by the tail of the id", ("inspect", ids.short(oldest)), 3, _nothing)
    yield part("list --status failed, after a crash", failed, 3, lambda: _crash(many))
    if drop_caches():
        yield part("list --status failed, cold", failed, 3, drop_caches)

    works = {OURS: process(many.durably("list"), **many.options)}
    for name, command, data in bench.able("list"):
        run([*command[:-1], "fill", str(RUNS), data])
        works[name] = process([*command, str(RUNS), data])
    found = in_turns(works, bench.rounds)
    yield Part(f"{plain}, beside peers", "ms", _ms(found))


def _nothing() -> None:
    pass


def _crash(bench: Bench) -> None:
    """Kill a run in its steps."""
    command = bench.durably("trigger", "steps", "-i", "1000000")
    with subprocess.Popen(command, stderr=subprocess.PIPE, **bench.options) as process:
        assert process.stderr is not None
        process.stderr.readline()
        os.kill(process.pid, signal.SIGKILL)


def memory(measured: Bench) -> Iterator[Part]:
    """The most memory that commands take."""
    bench = measured.beside("memory")
    bare = peak_mib(bench.program("bare_commands", "list"))
    journal = _killed_behind(bench, REPLAYED)
    works = {
        OURS: peak_mib(bench.durably("resume", journal.stem), **bench.options),
        BARE_COMMANDS: bare,
    }
    found = in_turns(works, 1)  # afterwards it has ended
    yield Part(f"memory of a resume of {REPLAYED:,} results", "MiB", found)
    works = {OURS: peak_mib(bench.durably("list"), **bench.options), BARE_COMMANDS: bare}
    yield Part("memory of a list", "MiB", in_turns(works, 3))

    journal = _killed_behind(bench, LARGE_STEPS, size=LARGE_RESULT)
    works = {OURS: peak_mib(bench.durably("inspect", journal.stem), **bench.options)}
    size = f"{journal.stat().st_size / 1e9:.1f} GB"
    found = in_turns({**works, BARE_COMMANDS: bare}, 1)
    yield Part(f"memory of an inspect of {size}", "MiB", found)


def crowds(measured: Bench) -> Iterator[Part]:
    """Many triggers at once."""
    bench = measured.beside("crowds")
    works = {
        OURS: _at_once(bench.durably(*TRIGGER), bench),
        BARE_MODELS: _at_once(bench.program("bare_models"), bench),
    }
    for name, command, data in bench.able("trigger"):
        works[name] = _at_once([*command, data], bench)
    found = in_turns(works, max(1, bench.rounds // 4))
    done = {name: each for name, each in found.items() if each != NOT_DONE}
    for name in found.keys() - done.keys():
        print(f"{name}: some of {CROWD} triggers at once fail", file=sys.stderr)
    peers = done.keys() - {OURS, BARE_MODELS}
    best = min(peers, key=done.__getitem__, default="")
    yield Part(f"{CROWD} triggers at once", "s", done, {best: 0.25} if best else {})


def _at_once(command: list[str], bench: Bench) -> BoundHandler:
    def work() -> float:
        begun = time.perf_counter()
        options = {**bench.options, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen(command, **options) for _ in range(CROWD)]
        try:
            codes = [
                each.wait(max(0.1, begun + PATIENCE - time.perf_counter())) for each in started
            ]
        except subprocess.TimeoutExpired:
            codes = [-1]
        took = time.perf_counter() - begun
        for each in started:
            each.kill()
            each.wait()
        return took if not any(codes) else NOT_DONE

    return work


PARTS = (
    *(steps, programs, transactions, replays, resumes, again),
    *(starts, lists, memory, crowds, many, ticks, workers),
)
