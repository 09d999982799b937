"""Signals that arrive where an exception would do harm."""

from __future__ import annotations

import pytest

from durably_cli.errors import Interrupted
from durably_cli.system import signals
from tests.conftest import Project

JOB = """
import signal, threading

lock = threading.Lock()

def let_go():
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigpending()  # the handler of it has run by now
    lock.release()

os.register_at_fork(before=lock.acquire, after_in_parent=let_go, after_in_child=lock.release)

@define_job
def forking(step: Step, payload: dict) -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    effect("free" if lock.acquire(timeout=5) else "held")
    os.waitpid(pid, 0)
    {then}
    effect("not stopped")
"""


@pytest.mark.parametrize("then", ["time.sleep(60)", "step.run('one', int)"])
def test_a_signal_that_comes_in_a_fork_leaves_no_lock_held_and_stops_the_run_after_it(
    project: Project, then: str
) -> None:
    project.job(JOB.format(then=then))
    stopped = project.run("trigger", "forking", expect=143)
    assert project.effects == ["free"]
    assert "was interrupted" in stopped.err


MISSED = """
import asyncio, queue, signal, subprocess, threading
from concurrent.futures import ThreadPoolExecutor

@define_job
def waits(step: Step, payload: dict) -> None:
    def asleep():
        time.sleep(0.3)  # the main thread has begun to wait
        signal.raise_signal(signal.SIGTERM)  # for which Python does not wake it up
        time.sleep(30)
        os._exit(1)
    threading.Thread(target=asleep, daemon=True).start()
    try:
        {wait}
    finally:
        effect("stopped")
"""


@pytest.mark.parametrize(
    "wait",
    [
        "step.run('for ever', threading.Event().wait)",
        "step.run('for ever', queue.Queue().get)",
        "ThreadPoolExecutor(1).submit(time.sleep, 900).result()",
        "asyncio.run(asyncio.sleep(900))",
        "subprocess.run(['sleep', '900'])",
    ],
)
def test_a_signal_that_python_has_missed_ends_a_wait_of_its_own_all_the_same(
    project: Project, wait: str
) -> None:
    project.job(MISSED.format(wait=wait))
    stopped = project.run("trigger", "waits", expect=143)
    assert project.effects == ["stopped"]
    assert "was interrupted" in stopped.err


LATE_LOCK = """
import os, signal, threading

lock = threading.Lock()

def let_go():
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigpending()  # the handler of it has run by now
    lock.release()

os.register_at_fork(before=lock.acquire, after_in_parent=let_go, after_in_child=lock.release)
"""


def test_a_signal_in_a_fork_leaves_no_lock_held_of_a_module_that_the_handler_has_imported(
    project: Project,
) -> None:
    (project.root / "late.py").write_text(LATE_LOCK)
    project.job(
        """
        @define_job
        def forking(step: Step, payload: dict) -> None:
            step.log.info("logging is there before the module")
            from late import lock
            pid = os.fork()
            if not pid:
                os._exit(0)
            effect("free" if lock.acquire(timeout=5) else "held")
            os.waitpid(pid, 0)
            time.sleep(60)
            effect("not stopped")
        """
    )
    stopped = project.run("trigger", "forking", expect=143)
    assert project.effects == ["free"]
    assert "Exception ignored" not in stopped.err


def test_a_signal_as_a_fork_begins_stops_the_run_after_it(project: Project) -> None:
    project.job(
        """
        import _thread, functools, signal

        @define_job
        def forking(step: Step, payload: dict) -> None:
            send = functools.partial(_thread.interrupt_main, signal.SIGTERM)
            os.register_at_fork(before=send)  # not Python code: durably's own hook is the next
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            time.sleep(10)
            effect("not stopped")
        """
    )
    stopped = project.run("trigger", "forking", expect=143)
    assert project.effects == []
    assert "Exception ignored" not in stopped.err


def test_every_run_that_is_executed_is_stopped_whatever_others_have_ended() -> None:
    stopped = list[str]()
    first = signals.stopping(lambda cause: stopped.append("first"))
    second = signals.stopping(lambda cause: stopped.append("second"))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as of threads, of which the first one ends first
    try:
        assert len(signals._noted.stops) == 1
        signals._noted.stops[0](Interrupted(15))
    finally:
        second.__exit__(None, None, None)
    assert stopped == ["second"]
    assert not signals._noted.stops


STOPPED = """
import signal
from typing import Annotated
from pydantic import Field, PlainSerializer, PlainValidator

def at(place: str, given: object = 1) -> object:
    if place != os.environ.get("STOPPED"):
        return given
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except BaseException:  # as a library does
        raise ValueError(f"{place} is broken") from None

class Named:
    def __set_name__(self, owner: object, name: str) -> None:
        at("import")

class Importing:
    name = Named()

class Payload(BaseModel):
    made: int = Field(default_factory=lambda: at("factory"))
    read: Annotated[int, PlainValidator(lambda given: at("validator", given))] = 1

class Result(BaseModel):
    written: Annotated[int, PlainSerializer(lambda given: at("serializer", given))] = 1

@define_job
def stopping(step: Step, payload: Payload) -> str:
    step.run("first", at, "step", returns=int)
    step.run("second", Result)
    at("handler")
    return "done"
"""


@pytest.mark.parametrize(
    "place", ["import", "factory", "validator", "serializer", "step", "handler"]
)
def test_what_the_code_of_a_job_makes_of_a_signal_is_no_error_of_the_job(
    project: Project, place: str
) -> None:
    project.job(STOPPED)
    trigger = ("trigger", "stopping", "-p", "read=1", "--idempotency-key", "k")
    stopped = project.run(*trigger, expect=143, env={**project.env, "STOPPED": place})
    assert "interrupted" in stopped.err
    assert "broken" not in stopped.err
    if place in ("serializer", "step", "handler"):
        events = project.run("inspect", "@last", "--events").out
        assert "failed" not in events
        assert "run.interrupted" in events
    assert project.run(*trigger).out == '"done"\n'


def test_a_signal_that_a_finalizer_gets_stops_the_run_all_the_same(project: Project) -> None:
    project.job(
        """
        import signal

        class Finalized:
            def __del__(self) -> None:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)

        @define_job
        def finalizing(step: Step, payload: dict) -> None:
            finalized = Finalized()
            del finalized
            effect("went on")
            time.sleep(60)
            effect("not stopped")
        """
    )
    stopped = project.run("trigger", "finalizing", expect=143)
    assert project.effects == ["went on"]
    assert "Exception ignored" not in stopped.err
