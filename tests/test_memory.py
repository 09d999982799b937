"""Journals of many events: how much memory they take, measured as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from durably_cli.journal import codec
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepStarted
from durably_cli.journal.step_names import item_of
from durably_cli.system import ids
from durably_cli.values.strict_json import Json, to_json
from tests.conftest import Project

AT = "2026-11-23T03:00:00.123Z"
MB = 1_000_000
ITEMS = 50_000

JOB = """
    @define_job
    def big(step: Step, payload: int) -> int:
        return sum(len(step.run(f"step-{n:07}", dict)) for n in range(payload))
"""


def result_of(number: int) -> Json:
    """About 280 bytes, so that a million events make 200 MB."""
    return Json(to_json({"id": number, "email": f"user{number}@example.com", "note": "x" * 160}))


def write_journal(project: Project, job: str, steps: int, events: Iterable[Event]) -> Path:
    """The journal of a failed run of so many steps, and of these events."""
    project.run("trigger", job, "-i", "0")
    run = ids.new()
    path = project.journal().parent / f"{run}.jsonl"
    begin = RunCreated(FORMAT, run, job, Json(str(steps)), AT), RunStarted(1, 1, "host", AT)
    end = RunHasFailed(ErrorInfo("RuntimeError", "stopped"), AT)
    crc = codec.seed(run)
    with path.open("wb") as file:
        for seq, event in enumerate(chain(begin, events, [end])):
            data, crc = codec.encode(seq, event, crc)
            file.write(data)
    return path


def finished(steps: int) -> Iterator[Event]:
    for number in range(steps):
        yield StepStarted(f"step-{number:07}", AT)
        yield StepCompleted(f"step-{number:07}", 1, result_of(number), AT)


PROGRAM = """
import atexit, re, resource, sys
def peak():
    try:  # getrusage would count what the process was before it became this program
        text = open("/proc/self/status").read()
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", text)[1]) * 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print(peak(), file=sys.stderr))
from durably_cli.__main__ import main
main()
"""


def peak(project: Project, *args: str) -> int:
    """The most memory that `durably *args` took, in bytes."""
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *args),
        cwd=project.root,
        env=project.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stderr.splitlines()[-1])


def check_memory(project: Project, steps: int) -> None:
    project.job(JOB, "big")
    path = write_journal(project, "big", steps, finished(steps))
    results = sum(len(result_of(number)) for number in range(steps))
    assert path.stat().st_size > 350 * steps
    for args in ("list",), ("inspect", path.stem), ("inspect", path.stem, "--json"):
        assert peak(project, *args) < 100 * MB
    small = peak(project, "trigger", "big", "-i", "0")
    assert peak(project, "resume", path.stem) - small < 3 * results


MAPS = """
    from durably import AsyncStep

    @define_job
    def in_threads(step: Step, payload: int) -> int:
        return len(step.map("item", str, range(payload)))

    @define_job
    async def on_loop(step: AsyncStep, payload: int) -> int:
        return len(await step.map("item", str, range(payload)))
"""


@pytest.mark.parametrize("job", ["in-threads", "on-loop"])
def test_a_finished_item_of_a_map_is_replayed_in_280_bytes(project: Project, job: str) -> None:
    project.job(MAPS, "maps")
    names = [item_of("item", str(number)) for number in range(ITEMS)]
    events: list[Event] = [MapStarted("item", AT, [], ITEMS)]
    for name in names:
        text = Json(to_json(name.own))
        events += StepStarted(name, AT), StepCompleted(name, 1, text, AT)
    path = write_journal(project, job, ITEMS, events)
    small = peak(project, "trigger", job, "-i", "0")
    assert peak(project, "resume", path.stem) - small < 280 * ITEMS


@pytest.mark.long
def test_a_journal_of_100_000_events_is_resumed_in_3x_its_results_and_inspected_in_100_mb(
    project: Project,
) -> None:
    check_memory(project, steps=50_000)


@pytest.mark.campaign
def test_a_journal_of_a_million_events_is_resumed_in_3x_its_results_and_inspected_in_100_mb(
    project: Project,
) -> None:
    check_memory(project, steps=500_000)
