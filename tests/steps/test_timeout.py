"""A step's function has so much time; what takes longer has failed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from durably import Retry, Step, StepMisused, StepTimeout

from durably_cli.journal.step_events import StepFailed, StepRetrying
from tests.conftest import Project
from tests.harness.memory_log import MemoryLog


def hang() -> int:
    for _ in range(1000):
        time.sleep(0.02)
    return 1


def swallow() -> int:
    try:
        return hang()
    except BaseException:
        return 2


@pytest.mark.parametrize("timeout", [0.1, "100ms", timedelta(milliseconds=100)])
@pytest.mark.parametrize("fn", [hang, swallow])
def test_it_fails_with_the_place_where_it_was(fn: Any, timeout: Any) -> None:
    log = MemoryLog()
    with pytest.raises(StepTimeout, match=r"step 'x' took longer than 0\.1 s"):
        Step({}, log.append).run("x", fn, timeout=timeout)
    failed = log.events[-1]
    assert isinstance(failed, StepFailed)
    assert failed.error.type == "StepTimeout"
    if fn is hang:
        assert "in hang" in failed.error.traceback
        assert "OutOfTime" not in failed.error.traceback


def test_it_is_an_ordinary_failure_that_may_be_tried_again() -> None:
    log, calls = MemoryLog(), list[int]()

    def slow_at_first() -> int:
        calls.append(1)
        return hang() if len(calls) < 3 else len(calls)

    retry = Retry(3, on=TimeoutError)
    assert Step({}, log.append).run("x", slow_at_first, tries=retry, timeout=0.1) == 3
    assert [type(each) for each in log.events].count(StepRetrying) == 2


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        (0, "no function ends in no time"),
        (-1, "negative"),
        ("soon", "it reads 90s"),
        (True, "a span of time is"),
        (float("nan"), "no number"),
    ],
)
def test_a_time_that_makes_no_sense_is_misuse(timeout: Any, said: str) -> None:
    with pytest.raises(StepMisused, match=f"step 'x': timeout=.*{said}"):
        Step().run("x", int, timeout=timeout)


JOB = """
    @define_job
    def work(step: Step, payload: dict[str, int]) -> str:
        try:
            step.run("slow", slow, timeout=0.3)
        except TimeoutError:
            return step.run("fallback", lambda: effect("fallback"))
        return "in time"

    def slow() -> None:
        effect("slow")
        time.sleep(600)
"""


def test_in_a_run_the_handler_may_catch_it(project: Project) -> None:
    project.job(JOB)
    assert json.loads(project.run("trigger", "work").out) == "fallback"
    assert project.effects == ["slow", "fallback"]
    project.run("verify")


def test_a_signal_is_no_time_out(project: Project) -> None:
    project.job(JOB.replace("timeout=0.3", "timeout=0.6"))
    with project.start("trigger", "work") as process:
        project.wait_for_effects(1)
        process.terminate()
        process.communicate()
        assert process.returncode == 143
    types = [json.loads(line)["type"] for line in project.journal().read_text().splitlines()]
    assert types[-1] == "run.interrupted"
    assert "step.failed" not in types


@pytest.mark.long
def test_logs_of_what_is_interrupted_are_whole(project: Project) -> None:
    """The interruption comes where it may: never in the middle of an append."""
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict[str, int]) -> int:
            late = 0
            for n in range(12):
                try:
                    step.run(f"talk-{n}", talk, step, timeout=0.02)
                except TimeoutError:
                    late += 1
            return late

        def talk(step: Step) -> None:
            while True:
                step.log.info("still here")
                step.progress(1, 2)
        """
    )
    assert project.run("trigger", "work").out == "12\n"
    project.run("verify")


def test_the_time_of_a_step_is_no_failure_of_a_run_inside_it(project: Project) -> None:
    """The inner run is interrupted, and can be resumed; the outer step has timed out."""
    project.job(
        """
        @define_job
        def inner(step: Step, payload: dict[str, int]) -> int:
            try:
                return step.run("slow", slow, tries=3)
            except Exception:
                return step.run("fallback", effect, "fallback")

        def slow() -> int:
            effect("slow")
            time.sleep(600)

        @define_job
        def outer(step: Step, payload: dict[str, int]) -> str:
            try:
                step.run("inner", lambda: inner.trigger({}).id, timeout=0.5)
            except TimeoutError:
                return "timed out"
        """
    )
    assert json.loads(project.run("trigger", "outer").out) == "timed out"
    assert project.effects == ["slow"]
    inner = next(run for run in project.runs() if run["job"] == "inner")
    assert inner["status"] == "interrupted"
    text = project.journal(inner["id"]).read_text()
    assert "step.failed" not in text
    assert "step.retrying" not in text


def test_what_a_function_makes_of_the_end_of_the_attempt_is_no_failure(project: Project) -> None:
    project.job(
        """
        @define_job(timeout=0.5)
        def work(step: Step, payload: dict[str, int]) -> None:
            step.run("wraps", wraps, tries=3)

        def wraps() -> None:
            try:
                time.sleep(600)
            except BaseException as error:
                raise RuntimeError("wrapped") from error
        """
    )
    project.run("trigger", "work", expect=124)
    types = [json.loads(line)["type"] for line in project.journal().read_text().splitlines()]
    assert types[2:] == ["step.started", "run.interrupted"]


def test_in_a_thread_a_cancel_comes_through_behind_a_step_with_a_time_limit(
    project: Project,
) -> None:
    project.job(
        """
        import threading

        @define_job
        def inner(step: Step, payload: dict[str, int]) -> None:
            step.run("quick", int, timeout=60)
            step.run("spins", spin)

        def spin() -> None:
            effect("spins")
            while True:
                pass
        """
    )
    program = (
        "import sys, threading; sys.path.insert(0, '.'); from jobs.work import inner; "
        "thread = threading.Thread(target=lambda: print(inner.trigger({}).status)); "
        "thread.start(); thread.join()"
    )
    (project.root / "jobs" / "__init__.py").touch()
    command = (sys.executable, "-c", program)
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project.root, env=project.env, **options) as process:
        project.wait_for_effects(line="spins")
        project.run("cancel", "@last")
        assert process.communicate()[0] == "cancelled\n"
