"""Journals of many events: how much memory they take, measured as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys
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
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.system import ids
from durably_cli.values.strict_json import Json, to_json
from tests.conftest import Project

AT = "2026-11-23T03:00:00.123Z"
MB = 1_000_000

JOB = """
    @define_job
    def big(step: Step, payload: int) -> int:
        return sum(len(step.run(f"step-{n:07}", dict)) for n in range(payload))
"""


def result_of(number: int) -> Json:
    """About 280 bytes, so that a million events make 200 MB."""
    return Json(to_json({"id": number, "email": f"user{number}@example.com", "note": "x" * 160}))


def write_journal(project: Project, steps: int) -> tuple[Path, int]:
    """The journal of a failed run with so many finished steps; its path and the results' bytes."""
    project.run("trigger", "big", "-i", "0")
    day = project.journal().parent
    run = ids.new()
    path = day / f"{run}.jsonl"
    seq, crc, results = 0, codec.seed(run), 0

    def line(event: Event) -> bytes:
        nonlocal seq, crc
        data, crc = codec.encode(seq, event, crc)
        seq += 1
        return data

    with path.open("wb") as file:
        file.write(line(RunCreated(FORMAT, run, "big", Json(str(steps)), AT)))
        file.write(line(RunStarted(1, 1, "host", AT)))
        for number in range(steps):
            result = result_of(number)
            results += len(result)
            file.write(line(StepStarted(f"step-{number:07}", AT)))
            file.write(line(StepCompleted(f"step-{number:07}", 1, result, AT)))
        file.write(line(RunHasFailed(ErrorInfo("RuntimeError", "stopped"), AT)))
    return path, results


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
    path, results = write_journal(project, steps)
    assert path.stat().st_size > 350 * steps
    for args in ("list",), ("inspect", path.stem), ("inspect", path.stem, "--json"):
        assert peak(project, *args) < 100 * MB
    small = peak(project, "trigger", "big", "-i", "0")
    assert peak(project, "resume", path.stem) - small < 3 * results


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
