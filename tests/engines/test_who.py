"""Who holds a run: its owner, or what a dead owner has left behind."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.conftest import Project

FORKS = """
import ctypes

@define_job
def forks(step: Step, payload: dict) -> None:
    def act() -> None:
        if ctypes.CDLL(None).fork() == 0:
            effect(os.getpid())
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
    if step.attempt == 1:
        step.run("act", act)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which process has a lock")
@pytest.mark.long
def test_a_child_of_c_code_that_holds_a_dead_owners_run_is_named(project: Project) -> None:
    project.job(FORKS)
    with project.start("trigger", "forks") as owner:
        project.wait_for_effects()
        owner.kill()
        owner.wait()
        (child,) = project.effects
        refused = project.run("resume", "@last", expect=75).err
        assert f"(pid {owner.pid} on " in refused
        assert f"which is gone; what it started still has the journal: pid {child})" in refused
        assert f"try: kill {child}\n" in refused

        os.kill(int(child), signal.SIGKILL)
    project.run("resume", "@last")
