"""A wait for a signal is decided once: by the first signal, or by its deadline, and never by both.

What a sender hears is what the run has done, whoever was first by however little.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest

import durably_cli
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.errors import Conflict
from durably_cli.steps.mail import Sent
from durably_cli.system import clock
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.engines.test_waiting import send, waits, within

ASKS = """
    @define_job
    def work(step: Step) -> int:
        found = step.wait_signal("n", int)
        step.wait_signal("go", bool)
        return step.run("after", lambda: found * 10)
"""

GIVES_UP = """
    @define_job
    def work(step: Step) -> list:
        found = step.wait_signal("n", int, timeout=0.8, default=0)
        return [found, step.wait_signal("go", bool)]
"""


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project, for this process too."""
    monkeypatch.setenv("DURABLY_DATA_DIR", str(project.data))
    monkeypatch.setenv("DURABLY_PROJECT", str(project.root))
    return project


def test_a_wait_that_is_redone_takes_another_signal(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    for value in ("3", "4", "5"):
        project.run("signal", "@last", "n", "-i", value)
        project.run("signal", "@last", "n", "-i", "9", expect=5)
        project.run("resume", "@last", "--suspend", expect=75)
        project.run("signal", "@last", "n", "-i", "9", expect=5)
        project.run("signal", "@last", "n", "-i", value)
        if value != "5":
            project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
            assert [wait["step"] for wait in project.inspect()["waits"]] == ["n"]
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "50\n"


def test_a_signal_that_was_received_and_redone_before_its_step_completed_is_gone(
    project: Project,
) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("signal", "@last", "n", "-i", "3")
    project.run("resume", "@last", "--suspend", expect=75)
    journal = project.journal()
    lines = journal.read_bytes().splitlines(keepends=True)
    (end,) = (n for n, line in enumerate(lines) if b'"signal.received"' in line)
    journal.write_bytes(b"".join(lines[: end + 1]))  # as if it was killed there
    project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
    assert [wait["step"] for wait in project.inspect()["waits"]] == ["n"]
    project.run("signal", "@last", "n", "-i", "4")
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "40\n"


def test_a_default_that_is_redone_waits_for_a_signal_again(project: Project) -> None:
    project.job(GIVES_UP)
    project.run("trigger", "work", "--suspend", expect=75)
    time.sleep(0.9)
    project.run("resume", "@last", "--suspend", expect=75)
    project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
    project.run("signal", "@last", "n", "-i", "7")
    project.run("signal", "@last", "go", "-i", "true")
    assert json.loads(project.run("resume", "@last").out) == [7, True]


def test_one_behind_a_default_that_was_taken_is_refused(project: Project) -> None:
    project.job(GIVES_UP)
    project.run("trigger", "work", "--suspend", expect=75)
    time.sleep(0.9)
    project.run("resume", "@last", "--suspend", expect=75)
    refused = project.run("signal", "@last", "n", "-i", "3", "--json", expect=5)
    assert json.loads(refused.out)["error"]["code"] == "has-ended"
    project.run("signal", "@last", "n", "-i", "3", "--early")  # for who has it executed again
    project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
    project.run("signal", "@last", "go", "-i", "true")
    assert json.loads(project.run("resume", "@last").out) == [3, True]


def refused_as_over(project: Project, run: str = "@last") -> str:
    """What is said of a signal `n` that its run takes no more."""
    refused = project.run("signal", run, "n", "-i", "3", "--json", expect=5)
    error = json.loads(refused.out)["error"]
    assert error["code"] == "has-ended"
    return str(error["message"])


def test_one_behind_a_result_that_somebody_gave_is_refused(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    done = ("--done", "n", "--result", "7")
    project.run("resume", "@last", *done, "--suspend", expect=75)
    assert "'n' of run" in (said := refused_as_over(project))
    assert "was given its result by --done" in said
    project.run("signal", "@last", "n", "-i", "3", "--early")  # for who has it executed again
    project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "30\n"


def test_one_for_a_step_whose_result_a_fork_brought_is_refused(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            found = step.wait_signal("n", int)
            if not os.path.exists("mended"):
                raise ValueError("not yet")
            step.wait_signal("go", bool)
            return found
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("signal", "@last", "n", "-i", "2")
    project.run("resume", "@last", expect=1)
    (project.root / "mended").touch()
    project.run("fork", "@last", "--suspend", expect=75)
    assert "has a result" in refused_as_over(project)
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "2\n"


def test_one_for_a_step_that_has_completed_and_takes_none_is_refused(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            step.run("n", lambda: 1)
            return int(step.wait_signal("go", bool))
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    assert "has a result" in refused_as_over(project)


def test_what_counts_no_more_takes_a_signal_again(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("resume", "@last", "--done", "n", "--result", "7", "--suspend", expect=75)
    project.run("resume", "@last", "--redo", "n", "--suspend", expect=75)
    project.run("signal", "@last", "n", "-i", "4")
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "40\n"
    project.run("signal", "@last", "n", "-i", "3", expect=5)


def test_one_that_failed_by_its_deadline_takes_none_of_before(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            return step.wait_signal("n", int, timeout=1)
    """)
    project.run("trigger", "work", expect=1)
    project.run("signal", "@last", "n", "-i", "3", expect=5)
    project.run("resume", "@last", "--suspend", expect=75)  # which asks once more
    project.run("signal", "@last", "n", "-i", "4")
    assert project.run("resume", "@last").out == "4\n"


def test_the_deadline_is_first_or_the_signal_is_and_the_sender_hears_which(here: Project) -> None:
    here.job("""
        def body(step: Step, item: int) -> int:
            return step.wait_signal("n", int, timeout=3 + item * 0.03, default=-1)

        @define_job
        def work(step: Step) -> list:
            return step.for_each("each", body, list(range(40)), concurrency=40)
    """)
    taken = dict[int, bool]()

    def race(item: int, until: str) -> None:
        seconds = clock.milliseconds_of(until) / 1000 + random.uniform(-0.02, 0.002)
        time.sleep(max(0, seconds - time.time()))
        try:
            durably_cli.signal(run, f"each[{item}].n", item)
            taken[item] = True
        except Conflict:
            taken[item] = False

    with here.start("trigger", "work") as process:
        within(60, lambda: bool(here.runs()) and len(here.inspect()["waits"]) == 40)
        run = here.inspect()["id"]
        threads = list[Thread]()
        for each in here.inspect()["waits"]:
            item = int(each["step"].removeprefix("each[").removesuffix("].n"))
            threads.append(Thread(target=race, args=(item, each["until"])))
            threads[-1].start()
        for thread in threads:
            thread.join()
        output = json.loads(process.result().out)
    assert output == [item if taken[item] else -1 for item in range(40)]


def test_a_deadline_that_was_noted_and_not_journalled_is_over(project: Project) -> None:
    project.job(GIVES_UP.replace("0.8", "600"))
    project.run("trigger", "work", "--suspend", expect=75)
    assert SignalsSent(project.journal()).close("n", 0, clock.now())
    refused = project.run("signal", "@last", "n", "-i", "3", expect=5)
    assert "until its deadline" in refused.err
    project.run("resume", "@last", "--suspend", expect=75)
    project.run("signal", "@last", "go", "-i", "true")
    assert json.loads(project.run("resume", "@last").out) == [0, True]


def test_an_early_signal_counts_though_the_clock_was_set_back(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            step.run("before", effect, "before")
            time.sleep(1)
            return step.wait_signal("n", int, timeout="1d", default=0)
    """)
    with project.start("trigger", "work") as process:
        project.wait_for_effects()
        assert send(project, "@last", "n", "3", at="2999-01-01T00:00:00.000Z")
        assert process.result().out == "3\n"


def test_what_cannot_be_read_is_refused_and_gives_no_value(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    for content in ("{", "[]", '{"name":"n","value":' + " " * (1 << 24) + "3}"):
        assert send(project, "@last", "n", "3")
        (path,) = _inbox(project)
        path.write_text(content)
        refused = project.run("signal", "@last", "n", "-i", "3", expect=5)
        assert "was sent before, and the run will refuse that" in refused.err
        suspended = project.run("resume", "@last", "--suspend", expect=75)
        assert "signal 'n' is not taken: it is" in suspended.err
        assert not _inbox(project)


def _socket(path: Path) -> None:
    from socket import AF_UNIX, socket

    with socket(AF_UNIX) as listener:
        listener.bind(str(path))


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "value").write_text("3")


@pytest.mark.parametrize(
    "made",
    [
        Path.mkdir,
        _full_folder,
        os.mkfifo,
        _socket,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to("/dev/zero"),
    ],
    ids=["folder", "full folder", "fifo", "socket", "dangling link", "link"],
)
def test_what_is_no_file_is_refused_and_the_run_goes_on_waiting(
    project: Project, made: Callable[[Path], object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    assert send(project, "@last", "n", "3")
    (path,) = _inbox(project)
    path.unlink()
    elsewhere = tmp_path_factory.mktemp("s") / "s"  # a socket's path is short
    made(elsewhere)
    elsewhere.rename(path)
    refused = project.run("signal", "@last", "n", "-i", "3", expect=5)
    assert "was sent before, and the run will refuse that: it is no plain file" in refused.err
    suspended = project.run("resume", "@last", "--suspend", expect=75)
    assert "signal 'n' is not taken: it is no plain file" in suspended.err
    assert not _inbox(project)
    project.run("signal", "@last", "n", "-i", "4")
    project.run("signal", "@last", "go", "-i", "true")
    assert project.run("resume", "@last").out == "40\n"


def test_an_inbox_that_is_a_link_is_refused_and_nothing_is_removed_behind_it(
    project: Project,
) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    assert send(project, "@last", "n", "3")
    inbox = project.journal().with_suffix(".inbox")
    inbox.rename(project.root / "elsewhere")
    inbox.symlink_to(project.root / "elsewhere")
    project.run("resume", "@last", "--suspend", expect=1)
    assert len([*(project.root / "elsewhere").iterdir()]) == 1


def _inbox(project: Project) -> list[Path]:
    return list(project.journal().with_suffix(".inbox").iterdir())


def test_one_that_the_run_refuses_while_another_is_sent_leaves_its_place(here: Project) -> None:
    here.job(ASKS)
    here.run("trigger", "work", "--suspend", expect=75)
    assert send(here, "@last", "n", '"three"')
    really_send = SignalsSent.send

    def refused_meanwhile(box: SignalsSent, name: str, *more: Any) -> bool:
        is_first = really_send(box, name, *more)
        if not is_first:
            box.refuse(name)
        return is_first

    with patch.object(SignalsSent, "send", refused_meanwhile):
        durably_cli.signal(here.inspect()["id"], "n", 3)
    found = SignalsSent(here.journal()).find("n")
    assert isinstance(found, Sent)
    assert found.value == Json("3")
    assert waits(here)
