"""Programs that `sh` started end with their run, also after `kill -9` of durably."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.trees import (
    IN_TREE,
    STUBBORN_TREE,
    TIDY,
    TREE,
    end,
    left_of,
    living,
    supervisors_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a whole tree is ended on Linux")

JOB = f"""
import ctypes, multiprocessing, threading
from durably import sh

TREE, STUBBORN, TIDY = {TREE!r}, {STUBBORN_TREE!r}, {TIDY!r}

@define_job
def work(step: Step, payload: dict) -> str:
    if payload.get("quick"):
        return "done"
    if payload.get("after"):
        step.sh("leaves", "(" + (STUBBORN if payload.get("stubborn") else TREE) + ") &")
        return "done"
    if step.attempt > 1:
        return "again"
    if payload.get("forks"):
        step.sh("first", ["true"])
        step.run("forks", forks, payload["forks"])
    if payload.get("tidy"):
        step.sh("tidy", TIDY, timeout=payload.get("timeout"))
    if payload.get("thread"):
        step.run("thread", in_a_thread)
    if payload.get("pool"):
        step.run("pool", in_a_pool)
    step.sh("tree", STUBBORN if payload.get("stubborn") else TREE, timeout=payload.get("timeout"))
    return "ended"

def forks(kind: str) -> int:
    pid = ctypes.CDLL(None).fork() if kind == "C" else os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    with open(os.environ["EFFECTS"] + ".forked", "w") as file:
        file.write(str(pid))
    return pid

def in_a_pool() -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.apply(sh, (STUBBORN,))

def in_a_thread() -> None:
    thread = threading.Thread(target=sh, args=(TREE,))
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize(
    ("given", "signum"),
    [
        pytest.param("stubborn:=true", signal.SIGKILL, marks=pytest.mark.long),
        pytest.param("stubborn:=true", signal.SIGTERM, marks=pytest.mark.long),
        ("forks=Python", signal.SIGKILL),
        ("forks=C", signal.SIGKILL),
        ("thread:=true", signal.SIGINT),
        pytest.param("pool:=true", signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_whatever_they_did_to_get_out_of_sight(
    project: Project, given: str, signum: signal.Signals
) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "-p", given) as process:
        project.wait_for_effects(IN_TREE)
        pids = project.effects
        run = project.runs()[0]["id"]
        process.send_signal(signum)
        process.wait(10)
        if signum == signal.SIGTERM:
            assert living(pids)  # durably is gone, and they are still being asked
        if given.startswith("pool"):
            assert living(pids)  # and a resume waits for them, as their own supervisor is known
        if not given.startswith("forks"):  # their child has the journal, which only C code can do
            assert project.run("resume", "@last", expect=None).code in (0, 75)
            assert project.runs()[0]["status"] == "completed"
        assert left_of(pids) == []
        assert left_of(supervisors_of(run)) == []
    forked = Path(f"{project.effects_path}.forked")
    if forked.exists():
        end([forked.read_text()])
    assert not list(project.journal().parent.glob("*.programs"))


@pytest.mark.parametrize("how", ["attempt", "step", "cancel", "kill"])
def test_each_is_asked_once_and_may_print_what_it_likes(project: Project, how: str) -> None:
    project.job(JOB)
    limit = {"attempt": ["--timeout", "1s"], "step": ["-p", "timeout=1s"]}.get(how, [])
    with project.start("trigger", "work", "-p", "tidy:=true", *limit) as process:
        project.wait_for_effects(1)
        if how == "cancel":
            project.run("cancel", "@last")
        elif how == "kill":
            process.kill()
        process.result()
    pid = project.effects[0]
    assert left_of([pid]) == []
    assert project.effects == [pid, "asked", "tidied"]


def test_who_tidies_up_may_print_what_it_likes_though_the_process_lives_on(
    project: Project,
) -> None:
    project.job(
        f"""
        from threading import Thread
        from durably import sh

        TIDY = {TIDY!r}

        def in_a_thread() -> None:
            thread = Thread(target=sh, args=(TIDY,))
            thread.start()
            thread.join()

        @define_job(timeout=1)
        def inner(step: Step, payload: dict) -> None:
            step.run("thread", in_a_thread)

        if __name__ == "__main__":
            try:
                inner.trigger({{}})
            except Exception as error:
                effect(type(error).__name__)
            time.sleep(600)
        """
    )
    command = (sys.executable, "jobs/work.py")
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=project.root, env=project.env, stderr=quiet) as process:
        project.wait_for_effects(line="tidied")
        assert left_of([project.effects[0]]) == []
        process.kill()
    assert sorted(project.effects[1:]) == ["TimedOut", "asked", "tidied"]


LEAVES_ONE_BEHIND = """
import os, signal, time

def note(word):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(word + chr(10))

def leave_one_behind(*_):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    note("begins")
    if os.fork():
        time.sleep(1)
        os._exit(0)
    while signal.sigtimedwait([signal.SIGTERM], 3):
        note("asked")
    os._exit(0)

signal.signal(signal.SIGTERM, leave_one_behind)
while True:
    time.sleep(0.05)
"""


def test_nobody_is_asked_twice_when_durably_dies_in_the_middle(project: Project) -> None:
    """Not even who has been left behind since the program itself was asked."""
    project.job(
        f"""
        PROGRAM = {LEAVES_ONE_BEHIND!r}

        @define_job
        def work(step: Step, payload: dict) -> None:
            step.sh("program", [sys.executable, "-c", PROGRAM], timeout=1)
        """
    )
    with project.start("trigger", "work") as process:
        project.wait_for_effects(line="begins")
        run = project.runs()[0]["id"]
        process.kill()
        process.result()
    assert left_of(supervisors_of(run)) == []
    assert project.effects == ["begins", "asked"]


@pytest.mark.parametrize("notices", ["a program", "the next one", "nobody"])
def test_what_a_lost_supervisor_knew_of_ends_with_the_run(project: Project, notices: str) -> None:
    project.job(
        """
        def lose() -> None:
            (parent,) = open("supervisor").read().split()
            os.kill(int(parent), 9)
            time.sleep(0.5)

        @define_job
        def work(step: Step, payload: dict) -> str:
            step.sh("leaves", "sleep 600 & echo $! >> $EFFECTS; echo $PPID > supervisor")
            if payload["notices"] == "a program":
                try:
                    step.sh("kills", "kill -9 $PPID; sleep 600")
                except OSError:
                    pass
            else:
                step.run("lose", lose)
            if payload["notices"] == "nobody":
                return "fine\\n"
            return step.sh("next", ["echo", "fine"]).stdout
        """
    )
    assert project.run("trigger", "work", "-p", f"notices={notices}").out == '"fine\\n"\n'
    assert left_of(project.effects) == []


def test_beside_a_lost_supervisor_those_of_the_next_one_are_asked_once(project: Project) -> None:
    project.job(
        f"""
        from durably import sh

        TIDY = {TIDY!r}

        def one() -> None:
            try:
                sh("kill -9 $PPID; sleep 600")
            except OSError:
                pass
            sh(TIDY)

        @define_job
        def work(step: Step, payload: dict) -> None:
            step.run("one", one)
        """
    )
    with project.start("trigger", "work") as process:
        project.wait_for_effects(1)
        process.terminate()
        process.result()
    pid = project.effects[0]
    assert left_of([pid]) == []
    assert project.effects[1:] == ["asked", "tidied"]


def test_when_the_run_completes(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", "-p", "after:=true")
    project.wait_for_effects(IN_TREE)
    assert left_of(project.effects) == []


@pytest.mark.parametrize("how", ["killed", "completed"])
@pytest.mark.long
def test_before_the_next_run_of_the_concurrency_key(project: Project, how: str) -> None:
    project.job(JOB)
    args = ["trigger", "work", "--concurrency-key", "one", "-p"]
    if how == "completed":
        project.run(*args, "after:=true", "-p", "stubborn:=true")
        project.wait_for_effects(IN_TREE)
    else:
        with project.start(*args, "stubborn:=true") as process:
            project.wait_for_effects(IN_TREE)
            process.kill()
            process.wait(10)
    pids = project.effects
    assert living(pids)
    project.run(*args, "quick:=true")
    assert living(pids) == []


@pytest.mark.long
def test_when_a_program_takes_too_long(project: Project) -> None:
    project.job(JOB)
    failed = project.run("trigger", "work", "-p", "timeout=2s", "-p", "stubborn:=true", expect=1)
    assert living(project.effects) == []
    assert "took longer than 2.0 s, and was ended" in failed.err


def test_when_the_supervisor_is_killed(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work") as process:
        project.wait_for_effects(IN_TREE)
        (supervisor,) = supervisors_of(project.runs()[0]["id"])
        os.kill(int(supervisor), signal.SIGKILL)
        assert process.result().code == 1
        assert "SupervisorLost" in process.result().err
        assert left_of(project.effects) == []


@pytest.mark.parametrize("how", ["resume", "cancel"])
def test_what_nobody_ended_is_named_and_the_run_refused(project: Project, how: str) -> None:
    project.job(JOB)
    with project.start("trigger", "work") as process:
        project.wait_for_effects(IN_TREE)
        (supervisor,) = supervisors_of(project.runs()[0]["id"])
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(int(supervisor), signal.SIGKILL)
        process.kill()
        process.wait()
    pids = project.effects
    refused = project.run("resume", "@last", expect=75)
    assert "still live, and would go on beside it" in refused.err
    assert any(f"pid {pid}: sleep 600" in refused.err for pid in pids)
    assert "--kill-leftovers\n     (ends them, and goes on)" in refused.err
    if how == "cancel":
        project.run("cancel", "@last")
        assert living(pids) == []
        return
    again = project.run("resume", "@last", "--kill-leftovers")
    assert again.out == '"again"\n'
    assert left_of(pids) == []


def test_what_a_run_left_that_has_ended_is_ended_when_asked(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", "--timeout", "0.1s", expect=124)
    project.run("cancel", "@last")
    journal = project.journal()
    folder = journal.with_suffix(".programs")
    env = os.environ | {"DURABLY_PROGRAM": f"{journal.stem}/1"}
    for command, code in ((["cancel"], 0), (["resume", "--kill-leftovers"], 3)):
        folder.mkdir(mode=0o700)
        (folder / "supervisor.dead").touch()
        with subprocess.Popen(["sleep", "600"], env=env) as program:
            ended = project.run(command[0], "@last", *command[1:], expect=None).code
            program.kill()  # which does nothing to one that has ended
        assert (program.returncode, ended) == (-signal.SIGTERM, code)
        assert not folder.exists()


@pytest.mark.long
def test_when_the_run_is_cancelled(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "-p", "stubborn:=true") as process:
        project.wait_for_effects(IN_TREE)
        project.run("cancel", "@last")
        assert process.result().code == 3
    assert left_of(project.effects) == []


def test_when_the_attempt_takes_too_long(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", "--timeout", "2s", expect=124)
    assert len(project.effects) == IN_TREE
    assert left_of(project.effects) == []
