"""What a step does to its process, and the children it leaves behind: its run goes on all the same.

The first attempt meets the deed in its second step. What was acknowledged by then is not executed
again, and what the deed leaves of the run is resumed, or refused with a reason. Children take their
run from no live owner, and hold it for no dead one.
"""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.deeds import ENDS, FILES, FORKS, HELPERS, JOB, SURROUNDINGS
from tests.harness.quick import some_quick

DEEDS = FORKS | ENDS | SURROUNDINGS | FILES


@pytest.fixture(scope="module")
def doer(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project for all deeds."""
    project = Project(tmp_path_factory.mktemp("deeds"))
    (project.root / "helpers.py").write_text(HELPERS)
    return project


@pytest.mark.parametrize("name", some_quick(DEEDS, 12))
def test_a_deed_of_a_step(name: str, doer: Project, count: Callable[[int], None]) -> None:
    project, deed = doer, DEEDS[name]
    project.effects_path.unlink(missing_ok=True)
    project.job(JOB, "doer")
    begin = "trigger", "doer", "-i", json.dumps(deed.code), "--idempotency-key", name
    met = project.run(*begin, expect=None)
    before = Counter(project.effects)
    project.job(JOB, "doer")
    resumed = project.run("resume", f"key:doer/{name}", expect=None)
    for result, codes in (met, deed.ends), (resumed, deed.resumes):
        assert result.code in codes, result
        assert "durably_cli/" not in result.err or "Exception in thread" in result.err, result
    assert deed.said in met.err, met
    its_own = project.root / "its-own"  # durably writes nothing to what the step has opened
    assert not its_own.exists() or not its_own.read_bytes()
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
        for _ in range(2):
            eval(way, vars(children))
            effect("begotten")
            while not os.path.exists("go"):
                time.sleep(0.005)
        time.sleep(60)
"""


def alive(mark: str) -> set[int]:
    """The processes that have this word in their environment, which they pass on."""
    found = set[int]()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.add(int(path.parent.name))
        except OSError:  # it has just ended, or is a zombie
            pass
    return found


def children(mark: str, without: set[int]) -> set[int]:
    """The processes with this word besides those; a program has it only once it is loaded."""
    deadline = time.monotonic() + 60
    while not (found := alive(mark) - without):
        assert time.monotonic() < deadline, "there is no child"
        time.sleep(0.01)
    return found


def kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("name", some_quick(WAYS, 4))
def test_children_neither_take_a_run_from_its_owner_nor_hold_it_for_a_dead_one(
    project: Project, name: str, count: Callable[[int], None]
) -> None:
    """One lives and is killed beside its owner, a younger one outlives that."""
    project.job(PARENT, "parent")
    (project.root / "children.py").write_text(CHILDREN)
    mark = project.env["MARK"] = uuid.uuid4().hex
    project.starts_interpreters = True  # a fork has the mark, but the kernel does not show it
    try:
        with project.start("trigger", "parent", "-i", json.dumps(WAYS[name])) as owner:
            project.wait_for_effects(2)
            older = children(mark, {owner.pid})
            assert project.runs()[0]["status"] == "running"
            kill(older)
            assert project.runs()[0]["status"] == "running"
            (project.root / "go").touch()
            project.wait_for_effects(3)
            owner.kill()
            owner.wait()
        assert project.run("resume", "@last").out == '"done"\n'
        assert children(mark, older), "the younger child had ended"
        assert project.effects == [WAYS[name], "begotten", "begotten"]
    finally:
        kill(alive(mark))
    count(2)
