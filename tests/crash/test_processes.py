"""What a step does to its process, and the children it leaves behind: its run goes on all the same.

The first attempt meets the deed in its second step. What was acknowledged by then is not executed
again, and what the deed leaves of the run is resumed, or refused with a reason. Children take their
run from no live owner, and hold it for no dead one.
"""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.deeds import ENDS, FILES, FORKS, HELPERS, JOB, SURROUNDINGS
from tests.harness.warm import Command, Warm

DEEDS = FORKS | ENDS | SURROUNDINGS | FILES


@pytest.fixture(scope="module")
def doer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Warm]]:
    """A project, and who starts its commands."""
    project = Project(tmp_path_factory.mktemp("deeds"))
    (project.root / "helpers.py").write_text(HELPERS)
    with Warm(project) as warm:
        yield project, warm


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_of_a_step(
    name: str, doer: tuple[Project, Warm], count: Callable[[int], None]
) -> None:
    (project, warm), deed = doer, DEEDS[name]
    project.effects_path.unlink(missing_ok=True)
    project.job(JOB, "doer")
    begin = "trigger", "doer", "-i", json.dumps(deed.code), "--idempotency-key", name
    met = warm.run(*begin, expect=None)
    before = Counter(project.effects)
    project.job(JOB, "doer")
    resumed = warm.run("resume", f"key:doer/{name}", expect=None)
    for result, codes in (met, deed.ends), (resumed, deed.resumes):
        assert result.code in codes, result
        assert "durably_cli/" not in result.err or "Exception in thread" in result.err, result
    assert deed.said in met.err, met
    acknowledged = {line[4:] for line in before if line.startswith("ack ")}
    assert "first" in acknowledged, met
    executed = Counter(project.effects) - before
    assert not executed.keys() & acknowledged, f"executed again: {executed}\n{met}\n{resumed}"
    if resumed.code:
        assert resumed.err.startswith("durably: "), resumed
    else:
        assert resumed.out == '"done"\n', resumed
        assert met.code != 0 or met.out in ("", resumed.out), met
        assert project.effects.count("first") == 1
    count(1)


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

PARENT = """
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


class Family:
    """Owners of runs and their children, known by a word in their environment."""

    def __init__(self, project: Project, warm: Warm) -> None:
        self.project, self.warm = project, warm
        self._mark = project.env["MARK"].encode()

    def beget(self, way: str) -> tuple[Command, set[int]]:
        """A run's owner, and the child that it has begotten in this way."""
        self.project.effects_path.unlink(missing_ok=True)
        before = self.alive()
        owner = self.warm.start("trigger", "parent", "-i", json.dumps(way))
        while "begotten" not in self.project.effects:
            assert not owner.has_ended(0.005), (way, owner.result())
        children = self.alive() - before - {owner.pid}
        assert children, f"there is no child by {way}"
        return owner, children

    def alive(self) -> set[int]:
        """Those that are left of them."""
        found = set[int]()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self._mark in path.read_bytes():
                    found.add(int(path.parent.name))
            except OSError:  # it has just ended, or is a zombie
                pass
        return found

    def kill(self, pids: set[int]) -> None:
        for pid in pids & self.alive():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def family(project: Project) -> Iterator[Family]:
    """Ends those that are left."""
    project.job(PARENT, "parent")
    (project.root / "children.py").write_text(CHILDREN)
    project.env["MARK"] = uuid.uuid4().hex
    project.starts_interpreters = True  # a fork has the mark, but the kernel does not show it
    with Warm(project) as warm:
        family = Family(project, warm)
        try:
            yield family
        finally:
            family.kill(family.alive())


def test_children_that_outlive_a_killed_owner_do_not_hold_its_run(
    family: Family, count: Callable[[int], None]
) -> None:
    for name, way in WAYS.items():
        owner, children = family.beget(way)
        assert owner.kill()
        resumed = family.warm.run("resume", "@last", expect=None)
        assert (resumed.code, resumed.out) == (0, '"done"\n'), (name, resumed)
        assert children & family.alive(), f"the child had ended that was {name}"
        assert family.project.effects == [way, "begotten"]
        family.kill(children)
    count(len(WAYS))


def test_children_that_live_or_have_ended_take_no_run_from_its_owner(
    family: Family, count: Callable[[int], None]
) -> None:
    project = family.project
    for name, way in WAYS.items():
        owner, children = family.beget(way)
        assert project.runs()[0]["status"] == "running", f"with a child that is {name}"
        family.kill(children)
        assert project.runs()[0]["status"] == "running", f"after a child that was {name}"
        (project.root / "go").touch()
        ended = owner.result()
        assert (ended.code, ended.out) == (0, '"done"\n'), (name, ended)
        (project.root / "go").unlink()
    count(len(WAYS))
