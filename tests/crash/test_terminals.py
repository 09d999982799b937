"""Terminals that hang up, and streams that nobody reads: no run is lost by it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import DURABLY, Project

JOB = """
    @define_job
    def napper(step: Step, payload: dict) -> str:
        step.run("first", effect, "first")
        step.run("second", nap if step.attempt == 1 else int)
        return "done"

    def nap() -> None:
        try:
            effect("napping")
            wait()
        finally:
            effect("unwinding")
            print("these are my last words", flush=True)
            wait()
            effect("unwound")

    def wait() -> None:
        end = time.monotonic() + 5
        while not os.path.exists("go") and time.monotonic() < end:
            time.sleep(0.01)
"""


def hung_up(project: Project, *under: str) -> subprocess.Popen[bytes]:
    """A run that has lost its terminal in a step, started under another program if one is given."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        (*under, *DURABLY, "trigger", "napper"),
        cwd=project.root,
        env=project.env | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    deadline = time.monotonic() + 30
    while "napping" not in project.effects:
        assert time.monotonic() < deadline
        if select.select([master], [], [], 0.01)[0]:
            try:
                os.read(master, 1 << 16)
            except OSError:  # its command has led its streams elsewhere, as nohup does
                time.sleep(0.01)
    os.close(master)
    return process


def test_a_terminal_that_hangs_up_stops_the_run_which_can_be_resumed(
    project: Project, count: Callable[[int], None]
) -> None:
    project.job(JOB, "napper")
    process = hung_up(project)
    project.wait_for_effects(line="unwinding")
    (project.root / "go").touch()
    assert process.wait(30) == 128 + signal.SIGHUP
    assert project.effects == ["first", "napping", "unwinding", "unwound"]
    assert [run["status"] for run in project.runs()] == ["interrupted"]
    assert project.run("resume", "@last").out == '"done"\n'
    assert project.effects.count("first") == 1
    count(1)


@pytest.mark.parametrize("under", [("nohup",), ("sh", "-c", 'trap \'\' HUP; exec "$0" "$@"')])
def test_a_run_that_ignores_the_hang_up_completes_without_its_terminal(
    project: Project, under: tuple[str, ...], count: Callable[[int], None]
) -> None:
    project.job(JOB, "napper")
    process = hung_up(project, *under)
    (project.root / "go").touch()
    assert process.wait(30) in (0, 74)  # 74: there was no place to print the output
    run = project.inspect()
    assert (run["status"], run["output"]) == ("completed", "done"), run["error"]
    assert project.effects == ["first", "napping", "unwinding", "unwound"]
    count(1)


LOUD = """
    @define_job
    def loud(step: Step, payload: dict) -> list[str]:
        return [step.run(f"step-{n}", say, n) for n in range(30)]

    def say(n: int) -> str:
        print("x" * 5000)
        effect(f"said {n}")
        return "z" * 5000
"""
STREAMS = (
    *("| head -c 0", "| head -c 99", ">&-", "2>&-", ">&- 2>&-", "2>&1 | head -c 0"),
    *("2>/dev/full", "2>&1 >&- | head -c 0"),
)
OTHERS = (
    *("trigger loud -q", "trigger loud --json", "resume @last", "list"),
    *("inspect @last", "inspect @last --events", "logs @last"),
)


@pytest.mark.parametrize(
    "commands", [("trigger loud",), pytest.param(OTHERS, marks=pytest.mark.campaign)]
)
def test_streams_that_nobody_reads_fail_no_command(
    project: Project, tmp_path: Path, commands: tuple[str, ...], count: Callable[[int], None]
) -> None:
    project.job(LOUD, "loud")
    project.run("trigger", "loud")
    cases, triggers, code = [*product(commands, STREAMS)], 1, tmp_path / "code"
    for command, stream in cases:
        subprocess.run(
            ["sh", "-c", f'{{ "$0" -m durably_cli {command}; echo $? > {code}; }} {stream}']
            + [DURABLY[0]],
            cwd=project.root,
            env=project.env,
            capture_output=True,
            timeout=60,
        )
        reads_only = not command.startswith(("trigger", "resume"))
        codes = (0, 74) if reads_only and "full" in stream else (0,)  # 74: a note was not written
        assert int(code.read_text()) in codes, (command, stream)
        triggers += command.startswith("trigger")
    assert [run["status"] for run in project.runs()] == ["completed"] * triggers
    assert len(project.effects) == 30 * triggers, "each step once, read or not"
    count(len(cases))
