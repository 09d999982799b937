"""A kind of step is one operation and one method of Step: a sleep, which durably does not have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from durably_cli.errors import Interrupted
from durably_cli.journal.registry import TYPES
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.operation import All, Operation, Past, Plan, Raised, fresh_past
from durably_cli.steps.scope import Scope
from durably_cli.steps.stop import Stop
from durably_cli.steps.thread_driver import ThreadDriver
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json
from tests.conftest import Project, Started
from tests.harness.memory_log import MemoryLog
from tests.steps.sleep_event import StepWaiting
from tests.steps.sleep_kind import Sleep, SleepingStep

del TYPES["step.dozing"]  # which the import has registered, in the process of all other tests

JOB = """
from tests.steps.sleep_kind import SleepingStep

@define_job
def napping(step, payload: dict) -> float:
    before = time.time()
    step.run("before", effect, "before")
    SleepingStep.sleep(step, "nap", 1.5)
    step.run("after", effect, "after")
    return time.time() - before
"""


@pytest.fixture(autouse=True)
def the_event_is_of_these_tests_alone() -> Iterator[None]:
    TYPES["step.dozing"] = StepWaiting
    yield
    del TYPES["step.dozing"]


def test_in_memory_it_takes_a_list_and_a_dict() -> None:
    log = MemoryLog()
    step = SleepingStep({}, log.append)
    step.sleep("nap", 3600)
    waiting, completed = log.events
    assert isinstance(waiting, StepWaiting)
    assert completed == StepCompleted("nap", 0, Json("null"), completed.at)
    assert log.synced == 2


def test_its_result_is_handed_back_without_a_wait() -> None:
    log, replayed = MemoryLog(), list[str]()
    step = SleepingStep({"nap": Json("null")}, log.append, replayed=replayed.append)
    step.sleep("nap", 3600)
    assert replayed == ["nap"]
    assert not log.events


def driver_of(past: Past, log: MemoryLog, stop: Stop | None = None) -> ThreadDriver:
    stop = stop or Stop()
    return ThreadDriver(log.append, past, stop, lambda name: None, Scope(stop, None))


def test_one_that_was_begun_before_goes_on() -> None:
    log = MemoryLog()
    waiting = StepWaiting("nap", "2026-11-23T03:00:00.000Z", "2026-11-23T04:00:00.000Z")
    past = fresh_past({})._replace(unfinished={"nap": waiting})
    driver_of(past, log).perform(Sleep("nap", 3600))
    assert [type(event) for event in log.events] == [StepCompleted]


def start(project: Project, *args: str) -> Started:
    """Start a `durably` that has the event, in the project."""
    program = "import tests.steps.sleep_event; from durably_cli.__main__ import main; main()"
    return Started(
        (sys.executable, "-c", program, *args),
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_in_a_journal_the_same_wait_goes_on_after_a_kill(project: Project) -> None:
    project.job(JOB)
    with start(project, "trigger", "napping") as process:
        project.wait_for_effects(1)
        journal = project.journal()
        while b"step.dozing" not in journal.read_bytes():
            time.sleep(0.001)
        process.kill()
    with start(project, "resume", "@last") as process:
        assert process.wait() == 0
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    (waiting,) = (line for line in lines if line["type"] == "step.dozing")
    (napped,) = (line for line in lines if line.get("name") == "nap" and "result" in line)
    assert napped["at"] >= waiting["until"]
    assert project.effects == ["before", "after"]


@pytest.mark.long
def test_a_durably_without_the_kind_shows_the_run_and_does_not_resume_it(project: Project) -> None:
    project.job(JOB)
    with start(project, "trigger", "napping") as process:
        assert process.wait() == 0
    assert project.runs()[0]["status"] == "completed"
    assert "step.dozing" in project.run("inspect", "@last", "--events").out
    journal = project.journal()
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(True)[:-1]))
    refused = project.run("resume", "@last", expect=74)
    assert "does not know: step.dozing" in refused.err


class Together(NamedTuple):
    """Several functions side by side."""

    name: str
    parts: list[Operation]
    at_once: int
    ended: Callable[[int, int], object] = lambda done, failed: None
    converter: plain.Converter = convert.converter(object)

    def plan(self, past: Past) -> Plan:
        found = yield All(self.parts, self.at_once, ended=self.ended)
        if type(found) is Raised:
            return found
        failed = [each for each in found.values() if type(each) is Raised]
        return failed[0] if failed else [found[place] for place in sorted(found)]


def calls(count: int, fn: Callable[[int], object]) -> list[Operation]:
    plain = convert.converter(object)
    return [FunctionCall(f"part {n}", fn, (n,), plain) for n in range(count)]


def perform(parts: list[Operation], at_once: int, past: Past, log: MemoryLog) -> Any:
    driver = driver_of(past, log)
    return driver.perform(Together("all", parts, at_once))


def test_operations_side_by_side_give_their_results_in_order() -> None:
    both = threading.Barrier(4)  # which would wait for ever if they were not side by side
    assert perform(calls(8, lambda n: (both.wait(60), n)[1]), 4, fresh_past({}), MemoryLog()) == [
        *range(8)
    ]


def test_what_is_done_is_not_done_again_side_by_side() -> None:
    done = list[int]()
    past = fresh_past({f"part {n}": Json(str(n)) for n in range(5)})
    assert perform(calls(8, lambda n: done.append(n) or n), 2, past, MemoryLog()) == [*range(8)]
    assert sorted(done) == [5, 6, 7]


def test_after_a_failure_no_other_one_is_begun_and_what_was_in_flight_is_acknowledged() -> None:
    begun, is_known = threading.Event(), threading.Event()
    log = MemoryLog()

    def act(n: int) -> int:
        if n == 0:
            begun.wait(60)
            raise ValueError("no")
        begun.set()
        assert is_known.wait(60)
        return n

    together = Together("all", calls(50, act), 2, lambda done, failed: is_known.set())
    with pytest.raises(ValueError, match="no"):
        driver_of(fresh_past({}), log).perform(together)
    completed = {event.name for event in log.events if isinstance(event, StepCompleted)}
    started = {event.name for event in log.events if isinstance(event, StepStarted)}
    assert started == {"part 0", "part 1"}
    assert completed == {"part 1"}


def test_no_thread_is_begun_for_which_there_is_no_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = list[threading.Thread]()

    class Counted(threading.Thread):
        def start(self) -> None:
            begun.append(self)
            super().start()

    monkeypatch.setattr(threading, "Thread", Counted)
    assert perform(calls(3, lambda n: n), 50, fresh_past({}), MemoryLog()) == [0, 1, 2]
    assert len(begun) <= 3


def test_a_ctrl_c_of_python_itself_lets_what_is_side_by_side_be_acknowledged() -> None:
    log = MemoryLog()

    def act(n: int) -> int:
        if n == 1:
            for _ in range(3):
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return n

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            perform(calls(50, act), 2, fresh_past({}), log)
    finally:
        signal.signal(signal.SIGINT, before)
    completed = {event.name for event in log.events if isinstance(event, StepCompleted)}
    assert completed == {event.name for event in log.events if isinstance(event, StepStarted)}
    assert "part 1" in completed
    assert len(completed) < 50


def test_a_stop_ends_a_wait_and_every_step_after_it() -> None:
    stop, log = Stop(), MemoryLog()
    stop.stop(Interrupted(15))
    driver = driver_of(fresh_past({}), log, stop)
    with pytest.raises(Interrupted):
        driver.perform(Sleep("nap", 3600))
    with pytest.raises(Interrupted):
        driver.perform(Together("all", calls(3, lambda n: n), 2))
    assert [type(event) for event in log.events] == [StepWaiting]


ALL_JOB = """
import os
import signal
import threading
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.operation import All
from durably_cli.values import convert

class Together:
    name, converter = "all", convert.converter(object)
    def plan(self, past):
        plain = convert.converter(object)
        found = yield All([FunctionCall(f"part {n}", part, (n,), plain) for n in range(2)], 2)
        return [*found.values()]

def part(n):
    effect(f"begun {n}")
    time.sleep(0.5)
    return n

@define_job
def together(step, payload: dict) -> list:
    return step._ask(Together())
"""


def test_a_signal_lets_what_is_side_by_side_be_acknowledged(project: Project) -> None:
    project.job(ALL_JOB)
    with project.start("trigger", "together") as process:
        project.wait_for_effects(2)
        process.terminate()
        process.communicate()
        assert process.returncode == 143
    lines = [json.loads(line) for line in project.journal().read_text().splitlines()]
    completed = [line["name"] for line in lines if line["type"] == "step.completed"]
    assert sorted(completed) == ["part 0", "part 1"]
    project.run("resume", "@last")
    assert sorted(project.effects) == ["begun 0", "begun 1"]
