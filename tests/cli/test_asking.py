"""What a person at a terminal is shown and asked, and what nobody is asked in a pipe."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durably_cli.cli.arguments import read_moment
from durably_cli.engines.request import Request
from durably_cli.errors import Forbidden, UsageError
from durably_cli.render.words import local_clock, local_time
from durably_cli.system import files
from tests.conftest import Project

JOB = """
@define_job
def work(step: Step, payload: dict) -> None:
    for n in range(payload.get("n", 1)):
        step.run(f"step-{n}", int)
"""


def asked(project: Project, reply: str, *args: str) -> str:
    """What the command shows on a terminal where a person answers so."""
    main, terminal = pty.openpty()
    with project.start(*args, stdin=terminal, stdout=terminal, stderr=terminal):
        os.close(terminal)
        os.write(main, f"{reply}\n".encode())
        shown = b""
        try:
            while data := os.read(main, 65536):
                shown += data
        except OSError:  # its last user has closed it
            pass
    os.close(main)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOB)
    project.run("trigger", "work")
    return project


def test_delete_shows_what_goes_and_asks_on_a_terminal_and_never_in_a_pipe(
    project: Project,
) -> None:
    project.job(JOB)
    project.run("trigger", "work")
    shown = asked(project, "n", "delete", "@last")
    assert re.search(r"work +✓? ?completed", shown)
    assert "Delete 1 run for good? [y/N]" in shown
    assert len(project.runs()) == 1
    asked(project, "y", "delete", "@last")
    assert project.runs() == []
    project.run("trigger", "work")
    assert "y/N" not in asked(project, "", "delete", "@last", "--yes")
    project.run("trigger", "work")
    assert "y/N" not in project.run("delete", "@last").err
    assert project.runs() == []


@pytest.mark.long
def test_prune_goes_by_the_end_of_a_run(project: Project) -> None:
    project.job("@define_job\ndef work(step: Step, payload: dict) -> None:\n    time.sleep(2)\n")
    project.run("trigger", "work")
    made = datetime.fromisoformat(project.inspect()["created"])
    between = (made + timedelta(seconds=1)).isoformat()
    assert project.run("prune", "--older-than", between, "--dry-run").out == ""
    ended = datetime.fromisoformat(project.inspect()["ended"]) + timedelta(seconds=1)
    found = project.run("prune", "--older-than", ended.isoformat(), "--dry-run").out
    assert found == f"{project.runs()[0]['id']}\n"
    refused = project.run("prune", "--older-than", ended.isoformat(), expect=2).err
    assert "\twork\tcompleted\t" in refused


def test_the_times_that_are_shown_are_read_back() -> None:
    at = "2026-11-23T03:00:00.000Z"
    moment = datetime(2026, 11, 23, 3, tzinfo=UTC)
    assert read_moment(local_time(at), "--since") == moment
    assert re.search(r"[+-]\d\d:\d\d$", local_time(at))
    now = datetime.now(UTC)
    for clock in (local_clock(at), local_clock(at)[:8], "23:59:59Z", "00:00-12:00"):
        assert timedelta(0) <= now - read_moment(clock, "--since") <= timedelta(hours=25), clock
    assert abs(now - timedelta(hours=3) - read_moment("3h ago", "--since")).total_seconds() < 60


@pytest.mark.parametrize(
    "options", ["--on-conflict wait", "--on-conflict skip", "--no-wait", "--retry-failed"]
)
def test_an_option_about_a_key_needs_one(worked: Project, options: str) -> None:
    err = worked.run("trigger", "work", *options.split(), expect=2).err
    assert re.search(r"says nothing without --(concurrency|idempotency)-key", err)


@pytest.mark.parametrize("name", ["a b", "a\tb", "a\nb", "a\x7f", "a\u00a0b", ""])
def test_the_name_of_a_label_has_no_spaces_and_no_control_characters(name: str) -> None:
    with pytest.raises(UsageError, match="a label's name"):
        Request(job="work", input="{}", project="/", labels={name: "x"}).checked()  # type: ignore[arg-type]


def test_what_is_not_there_is_said(worked: Project) -> None:
    assert "no job 'wrok'" in worked.run("list", "--job", "wrok").err
    assert "did you mean work?" in worked.run("list", "--job", "wrok").err
    assert worked.run("list", "--job", "work").err == ""
    assert "has logged nothing" in worked.run("logs", "@last", "--step", "step-0").err
    assert "no step 'nope'" in worked.run("logs", "@last", "--step", "nope", expect=4).err
    assert "no step 'nope'" in worked.run("logs", "@last", "-f", "--step", "nope", expect=4).err


def test_all_steps_are_shown_if_they_are_asked_for(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", "-p", "n:=60")
    assert "step-30" not in asked(project, "", "inspect", "@last")
    assert "step-30" in asked(project, "", "inspect", "@last", "--all")


def test_a_pending_run_says_which_run_it_waits_for(project: Project) -> None:
    project.job(
        "@define_job\ndef work(step: Step, payload: dict) -> None:\n"
        "    effect('begun') and time.sleep(60)\n"
    )
    args = ("trigger", "work", "--concurrency-key", "one")
    with project.start(*args) as first:
        project.wait_for_effects()
        with project.start(*args) as second:
            while len(found := project.runs()) < 2 or found[0]["reason"] is None:
                time.sleep(0.01)
            assert found[0]["status"] == "pending"
            assert found[0]["reason"] == (
                f"waits for run {found[1]['id'][-8:]}, which has the key 'one'"
            )
            assert project.inspect()["waits_for"] == found[1]["id"]
            second.kill()
        first.kill()


def test_an_error_is_said_once(project: Project) -> None:
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> None:
            try:
                step.run("caught", lambda: int("x"))
            except ValueError:
                step.run("fails", lambda: {}["lost"])
        """
    )
    err = project.run("trigger", "work", expect=1).err
    assert err.count("KeyError: 'lost'") == 1
    assert "step caught failed: ValueError: invalid literal" in err


def test_two_jobs_of_one_name_are_refused_wherever_one_is_asked_for(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work")
    twin = project.job(JOB.replace("@define_job", '@define_job(name="work")'), "other")
    for args in ("trigger", "work"), ("jobs", "work"), ("resume", "@last"):
        code = 0 if args[0] == "resume" else 78
        err = project.run(*args, expect=code).err
        assert code == 0 or "two jobs are named work" in err
    twin.write_text(twin.read_text().replace('name="work"', 'name="other"'))
    project.run("trigger", "work")


def test_a_lock_that_is_a_hard_link_comes_with_the_command_that_mends_all(tmp_path: Path) -> None:
    lock = tmp_path / "a store" / "locks" / "key"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.link(lock, tmp_path / "copy")
    with pytest.raises(Forbidden) as refused:
        os.close(files.open_or_make(lock))
    command = (refused.value.hint or "").partition("    (")[0]
    subprocess.run(command, shell=True, check=True)
    os.close(files.open_or_make(lock))
    assert (tmp_path / "a store.linked" / "locks" / "key").exists()


def test_ctrl_c_while_durably_is_imported_is_no_traceback(project: Project) -> None:
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from durably_cli.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=project.env, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGINT, "durably: interrupted\n")
