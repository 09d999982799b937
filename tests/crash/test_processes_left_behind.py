"""Children of a run's owner: they take its run from no live owner, and hold it for no dead one."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project, Started

WAYS = {
    "forked": "fork(linger)",
    "forked twice, a daemon": "daemon()",
    "forked by multiprocessing": "multiprocess('fork')",
    "spawned by multiprocessing": "multiprocess('spawn')",
    "of a fork server": "multiprocess('forkserver')",
    "a program": "subprocess.Popen(PROGRAM)",
    "a program that is left all descriptors": "subprocess.Popen(PROGRAM, close_fds=False)",
    "a program with a function before it": "subprocess.Popen(PROGRAM, preexec_fn=os.getpid)",
    "in the background of a shell": "os.system(shlex.join(PROGRAM) + ' &')",
    "a program of posix_spawn": "os.posix_spawn(PROGRAM[0], PROGRAM, os.environ)",
}

CHILDREN = """
import multiprocessing, os, shlex, subprocess, sys, time

PROGRAM = [sys.executable, "-c", "import time; time.sleep(600)"]

def linger(ready=None):
    if ready:
        ready.set()
    time.sleep(600)
    os._exit(0)

def fork(act):
    child = os.fork()
    if child == 0:
        act()
    return child

def daemon():
    os.waitpid(fork(leave), 0)

def leave():
    os.setsid()
    fork(linger)
    os._exit(0)

def multiprocess(method):
    context = multiprocessing.get_context(method)
    ready = context.Event()
    context.Process(target=linger, args=(ready,)).start()
    ready.wait()
"""

JOB = """
    import children

    @define_job
    def parent(step: Step, way: str) -> str:
        step.run("once", effect, way)
        if step.attempt == 1:
            step.run("beget", beget, way)
        return "done"

    def beget(way: str) -> None:
        eval(way, vars(children))
        effect("begotten")
        while not os.path.exists("go"):
            time.sleep(0.005)
"""


class Marked:
    """Processes that are known by a word in their environment, which they pass on."""

    def __init__(self) -> None:
        self.word = uuid.uuid4().hex

    def alive(self) -> set[int]:
        """Those that are left of them."""
        return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if
                self.word.encode() in _bytes_of(path)}  # fmt: skip

    def kill(self, pids: set[int]) -> None:
        for pid in pids & self.alive():
            os.kill(pid, signal.SIGKILL)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended, or is a zombie
        return b""


@pytest.fixture
def marked(project: Project) -> Iterator[Marked]:
    """A mark for the project's processes, which ends those that are left."""
    mark = Marked()
    project.env["MARK"] = mark.word
    project.starts_interpreters = True  # a fork has the mark, but the kernel does not show it
    project.job(JOB, "parent")
    (project.root / "children.py").write_text(CHILDREN)
    try:
        yield mark
    finally:
        mark.kill(mark.alive())


def parent(project: Project, marked: Marked, name: str) -> tuple[Started, set[int]]:
    """A run's owner, and the child that it has begotten in this way."""
    project.effects_path.unlink(missing_ok=True)
    before = marked.alive()
    owner = project.start("trigger", "parent", "-i", json.dumps(WAYS[name]))
    while "begotten" not in project.effects:
        assert not owner.has_ended(0.005), (name, owner.result())
    children = marked.alive() - before - {owner.pid}
    assert children, f"there is no child that is {name}"
    return owner, children


def status(project: Project) -> str:
    """The status of the last run."""
    return str(json.loads(project.run("list", "--json").out)["runs"][0]["status"])


def test_children_that_outlive_a_killed_owner_do_not_hold_its_run(
    project: Project, marked: Marked, count: Callable[[int], None]
) -> None:
    for name, way in WAYS.items():
        owner, children = parent(project, marked, name)
        owner.kill()
        assert owner.wait() == -signal.SIGKILL  # its streams are open: the children have them
        resumed = project.run("resume", "@last", expect=None)
        assert (resumed.code, resumed.out) == (0, '"done"\n'), (name, resumed)
        assert children & marked.alive(), f"the child had ended that was {name}"
        assert project.effects == [way, "begotten"]
        marked.kill(children)
    assert {run["status"] for run in project.runs()} == {"completed"}
    count(len(WAYS))


def test_children_that_live_or_have_ended_take_no_run_from_its_owner(
    project: Project, marked: Marked, count: Callable[[int], None]
) -> None:
    for name in WAYS:
        owner, children = parent(project, marked, name)
        assert status(project) == "running", f"with a child that is {name}"
        marked.kill(children)
        assert status(project) == "running", f"after a child that was {name}"
        (project.root / "go").touch()
        ended = owner.result()
        assert (ended.code, ended.out) == (0, '"done"\n'), (name, ended)
        (project.root / "go").unlink()
    count(len(WAYS))
