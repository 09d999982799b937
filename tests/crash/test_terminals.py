"""Terminals that hang up, Ctrl-C typed twice, streams that nobody reads: no run is lost by it."""

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


@pytest.fixture
def napper(project: Project) -> Project:
    project.job(JOB, "napper")
    return project


class Terminal:
    """A terminal with one command in it."""

    def __init__(
        self, project: Project, *under: str, ignoring: signal.Signals | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
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

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def hang_up(self) -> None:
        os.close(self._master)

    def read_until(self, is_there: Callable[[], bool]) -> None:
        """Read what is shown, as a terminal does, until that is there."""
        deadline = time.monotonic() + 30
        while not is_there():
            assert time.monotonic() < deadline
            if select.select([self._master], [], [], 0.01)[0]:
                _read(self._master)

    def end(self) -> int:
        """The exit code."""
        return self.process.wait(30)


def _read(terminal: int) -> None:
    try:
        os.read(terminal, 1 << 16)
    except OSError:  # its command has led its streams elsewhere, as nohup does
        time.sleep(0.01)


def check_resumes(project: Project) -> None:
    """The run can be resumed at once, and what was acknowledged is not done again."""
    assert [run["status"] for run in project.runs()] == ["interrupted"]
    assert project.run("resume", "@last").out == '"done"\n'
    assert project.effects.count("first") == 1


def test_a_terminal_that_hangs_up_stops_the_run_which_can_be_resumed(
    napper: Project, count: Callable[[int], None]
) -> None:
    terminal = Terminal(napper)
    terminal.read_until(lambda: "napping" in napper.effects)
    terminal.hang_up()
    napper.wait_for_effects(line="unwinding")
    (napper.root / "go").touch()
    assert terminal.end() == 128 + signal.SIGHUP
    assert napper.effects == ["first", "napping", "unwinding", "unwound"]
    check_resumes(napper)
    count(1)


@pytest.mark.parametrize("how", ["nohup", "trap '' HUP"])
def test_a_run_that_ignores_the_hang_up_completes_without_its_terminal(
    napper: Project, how: str, count: Callable[[int], None]
) -> None:
    under = ("nohup",) if how == "nohup" else ("sh", "-c", f'{how}; exec "$0" "$@"')
    terminal = Terminal(napper, *under)
    terminal.read_until(lambda: "napping" in napper.effects)
    terminal.hang_up()
    (napper.root / "go").touch()
    assert terminal.end() in (0, 74)  # 74: there was no place to print the output
    run = napper.inspect()
    assert (run["status"], run["output"]) == ("completed", "done"), run["error"]
    assert napper.effects == ["first", "napping", "unwinding", "unwound"]
    count(1)


def test_ctrl_c_typed_twice_ends_the_process_at_once_and_the_run_can_be_resumed(
    napper: Project, count: Callable[[int], None]
) -> None:
    terminal = Terminal(napper)
    terminal.read_until(lambda: "napping" in napper.effects)
    terminal.type(b"\x03")
    terminal.read_until(lambda: "unwinding" in napper.effects)
    terminal.type(b"\x03")
    terminal.read_until(lambda: terminal.process.poll() is not None)
    assert terminal.end() == 128 + signal.SIGINT
    terminal.hang_up()
    assert "unwound" not in napper.effects, "it was not left at once"
    check_resumes(napper)
    count(2)


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
COMMANDS = (
    *("trigger loud", "trigger loud -q", "trigger loud --json", "resume @last", "list"),
    *("inspect @last", "inspect @last --events", "logs @last"),
)


def code_of(project: Project, words: str, stream: str) -> int:
    """The exit code of a command whose streams are treated so."""
    code = Path(project.root.parent / "code")
    command = f'{{ "$0" -m durably_cli {words}; echo $? > {code}; }} {stream}'
    subprocess.run(
        ["sh", "-c", command, DURABLY[0]],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        timeout=60,
    )
    return int(code.read_text())


def check_streams(project: Project, cases: list[tuple[str, str]]) -> int:
    project.job(LOUD, "loud")
    project.run("trigger", "loud")
    triggers = 1
    for words, stream in cases:
        reads_only = not words.startswith(("trigger", "resume"))
        codes = (0, 74) if reads_only and "full" in stream else (0,)  # 74: a note was not written
        assert code_of(project, words, stream) in codes, (words, stream)
        triggers += words.startswith("trigger")
    assert [run["status"] for run in project.runs()] == ["completed"] * triggers
    assert len(project.effects) == 30 * triggers, "each step once, read or not"
    return len(cases)


def test_streams_that_nobody_reads_fail_no_run(
    project: Project, count: Callable[[int], None]
) -> None:
    count(check_streams(project, [("trigger loud", stream) for stream in STREAMS]))


@pytest.mark.campaign
def test_streams_that_nobody_reads_fail_no_command(
    project: Project, count: Callable[[int], None]
) -> None:
    cases = [(words, stream) for words in COMMANDS for stream in STREAMS]
    count(check_streams(project, cases))
