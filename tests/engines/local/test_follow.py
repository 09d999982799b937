"""Looking at runs that other processes execute: logs -f, inspect --follow, list --watch."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator

import pytest

from durably_cli.engines.local.follow import at_its_end
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.journal import ownership
from durably_cli.journal.state import Status
from durably_cli.system.locks import Lock
from tests.conftest import Project, Started

TALKER = """
    @define_job
    def talker(step: Step, payload: dict) -> str:
        step.log.info("begun", n=1)
        for n in range(3):
            step.run(f"step-{n}", say, step, n)
        if step.attempt == 1:
            os.kill(os.getpid(), 9)
        step.log.error("the end")
        return "done"

    def say(step: Step, n: int) -> None:
        step.log.warn(f"in step {n}")
        while not os.path.exists(f"go-{n}"):
            time.sleep(0.01)
"""


@pytest.fixture
def talker(project: Project) -> Iterator[Project]:
    """A project whose job waits in step N for a file go-N, and dies at the end of attempt 1."""
    project.job(TALKER, "talker")
    yield project


def go(project: Project, *numbers: int) -> None:
    for number in numbers:
        (project.root / f"go-{number}").touch()


def start(project: Project, *args: str) -> Started:
    """Start it, and return when it has logged that it is in its first step."""
    process = project.start(*args)
    while not project.runs() or len(project.run("logs", "@last").out.splitlines()) < 2:
        assert process.poll() is None, process.communicate()
    return process


def read_until(master: int, wanted: str, seconds: float = 60) -> str:
    """What a terminal has got when the wanted text is there."""
    shown, deadline = "", time.monotonic() + seconds
    while wanted not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([master], [], [], 0.1)[0]:
            shown += os.read(master, 65536).decode()
    return shown


def test_logs_are_lines_of_cells_and_can_be_filtered(talker: Project) -> None:
    go(talker, 0, 1, 2)
    talker.run("trigger", "talker", expect=-9)
    talker.run("resume", "@last")
    lines = [line.split("\t") for line in talker.run("logs", "@last").out.splitlines()]
    assert [line[1:4] for line in lines] == [
        ["info", "", "begun"],
        ["warn", "step-0", "in step 0"],
        ["warn", "step-1", "in step 1"],
        ["warn", "step-2", "in step 2"],
        ["error", "", "the end"],
    ]
    assert lines[0][4] == '{"n":1}'
    assert len(talker.run("logs", "@last", "--level", "warn").out.splitlines()) == 4
    assert len(talker.run("logs", "@last", "--level", "error").out.splitlines()) == 1
    (line,) = talker.run("logs", "@last", "--step", "step-1", "--json").out.splitlines()
    assert json.loads(line)["message"] == "in step 1"
    talker.run("logs", "@last", "--level", "loud", expect=2)
    talker.run("logs", "ffffffff", expect=4)


def test_logs_that_are_followed_come_as_they_are_written_until_the_run_ends(
    talker: Project,
) -> None:
    with start(talker, "trigger", "talker"), talker.start("logs", "@last", "-f") as logs:
        assert logs.stdout is not None
        assert "begun" in logs.stdout.readline()
        assert "in step 0" in logs.stdout.readline()
        go(talker, 0)
        assert "in step 1" in logs.stdout.readline()
        go(talker, 1, 2)
        assert "in step 2" in logs.stdout.readline()
        assert logs.stdout.readline() == ""
    assert logs.returncode == 0


def test_following_ends_at_once_where_nothing_executes(talker: Project) -> None:
    go(talker, 0, 1, 2)
    talker.run("trigger", "talker", expect=-9)
    assert "in step 2" in talker.run("logs", "@last", "-f").out
    events = talker.run("inspect", "@last", "--events").out
    assert talker.run("inspect", "@last", "--events", "-f").out == events


def test_in_a_pipe_inspect_waits_for_the_end_and_prints_once(talker: Project) -> None:
    with (
        start(talker, "trigger", "talker"),
        talker.start("inspect", "@last", "-f", "--json") as looker,
        talker.start("inspect", "@last", "-f", "--events") as lines,
    ):
        time.sleep(0.3)
        assert looker.poll() is None
        go(talker, 0, 1, 2)
        out, _ = looker.communicate(timeout=60)
        events, _ = lines.communicate(timeout=60)
    assert json.loads(out)["run"]["steps"] == 3
    assert events == talker.journal().read_text()


def test_on_a_terminal_inspect_is_redrawn_and_ctrl_c_leaves_the_run_alone(
    talker: Project,
) -> None:
    master, terminal = pty.openpty()
    with start(talker, "trigger", "talker") as run:
        looker = talker.start(
            "inspect", "@last", "-f", stdin=terminal, stdout=terminal, stderr=terminal
        )
        read_until(master, "step-0")
        go(talker, 0)
        read_until(master, "step-1")
        looker.send_signal(signal.SIGINT)
        shown = read_until(master, "log lines")
        assert looker.wait(30) == 0
        assert "Traceback" not in shown
        assert run.poll() is None
        go(talker, 1, 2)
    os.close(master)
    os.close(terminal)


def test_a_list_that_is_watched_is_redrawn_until_ctrl_c(talker: Project) -> None:
    master, terminal = pty.openpty()
    with start(talker, "trigger", "talker") as run:
        watcher = talker.start("list", "--watch", stdin=terminal, stdout=terminal, stderr=terminal)
        read_until(master, "running")
        go(talker, 0, 1, 2)
        run.wait(60)
        read_until(master, "interrupted")
        watcher.send_signal(signal.SIGINT)
        assert re.search(r"\x1b\[\?1049l", read_until(master, "\x1b[?1049l"))
        assert watcher.wait(30) == 0
    os.close(master)
    os.close(terminal)


def test_a_list_is_watched_on_a_terminal_alone(talker: Project) -> None:
    assert "on a terminal" in talker.run("list", "--watch", expect=2).err


def test_a_run_has_ended_when_no_process_takes_it_up_in_the_next_moment(project: Project) -> None:
    project.job(
        """
        @define_job
        def flaky(step: Step, payload: dict) -> None:
            open("mended").close()
        """
    )
    project.run("trigger", "flaky", expect=1)
    (project.root / "mended").touch()
    path, locks = project.journal(), list[Lock]()

    class Watched(Store):
        """Behind the first look a process takes the run up, behind the third one executes it."""

        looks = 0

        def look(self, run_id: str) -> RunView | Unreadable | None:
            found = super().look(run_id)
            self.looks += 1
            if self.looks == 1:
                locks.append(ownership.hold(path))
            if self.looks == 3:
                project.run("resume", "@last")
            return found

    store = Watched(path.parent.parent.parent)
    run = at_its_end(store, path.stem, math.inf, lambda _: locks[0].close())
    assert (run.status, store.looks) == (Status.COMPLETED, 4)
    assert isinstance(run, RunView)
    run.close()
