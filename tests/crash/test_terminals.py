"""Terminals that hang up: no run is lost by it."""

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
