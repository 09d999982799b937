"""`durably tick`: what it takes up and what it leaves, and beside itself."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Project

JOB = """
    class Nap(BaseModel):
        n: int = 0
        seconds: float = 600

    @define_job
    def nap(step: Step, payload: Nap) -> int:
        step.run("before", effect, f"before {payload.n}")
        step.sleep("nap", payload.seconds)
        step.run("after", effect, f"after {payload.n}")
        return payload.n

    @define_job
    def ask(step: Step) -> bool:
        return step.wait_signal("ok", bool, prompt="Well?")

    @define_job
    def sits(step: Step) -> None:
        step.run("once", effect, "once")
        step.run("sits", lambda: effect("sits") and time.sleep(60 if step.attempt == 1 else 0))
"""


@pytest.fixture
def ticked(project: Project) -> Project:
    project.job(JOB)
    project.starts_interpreters = True
    return project


def test_nothing_to_do_is_silence(ticked: Project) -> None:
    ticked.run("trigger", "nap", "--suspend", expect=75)
    done = ticked.run("tick")
    assert (done.out, done.err) == ("", "")


def test_it_takes_up_what_is_due_what_got_a_signal_and_what_has_died(ticked: Project) -> None:
    ticked.run("trigger", "nap", "--seconds", "1.2", "--suspend", expect=75)
    ticked.run("trigger", "ask", "--suspend", expect=75)
    ticked.run("approve", "@last/ask")
    ticked.run("trigger", "nap", "--n", "1", "--suspend", expect=75)  # for ten minutes
    with ticked.start("trigger", "sits") as process:
        ticked.wait_for_effects(line="sits")
        assert process.is_killed()
    time.sleep(1.2)
    dry = ticked.run("tick", "--dry-run")
    assert Counter(line.split("\t")[2] for line in dry.out.splitlines()) == {
        "due": 1,
        "signal": 1,
        "died": 1,
    }
    assert {run["status"] for run in ticked.runs()} == {"waiting", "interrupted"}
    assert "error" not in json.loads(ticked.run("tick", "--json").out)
    assert Counter(run["status"] for run in ticked.runs()) == {"completed": 3, "waiting": 1}
    assert ticked.effects.count("once") == 1
    assert ticked.run("tick").out == ""


def test_what_a_person_stopped_is_left(ticked: Project) -> None:
    import signal

    with ticked.start("trigger", "sits") as process:
        ticked.wait_for_effects(line="sits")
        process.send_signal(signal.SIGINT)
        assert process.result().code == 130
    assert ticked.run("tick").out == ""
    assert ticked.runs()[0]["status"] == "interrupted"


def test_six_ticks_at_once_take_each_run_up_once(ticked: Project) -> None:
    for n in range(6):
        ticked.run("trigger", "nap", "--n", str(n), "--seconds", "1", "--suspend", expect=75)
    time.sleep(1)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ticked.run("tick", "-q"), range(6)))
    ticked.run("tick", "-q")
    assert {run["status"] for run in ticked.runs()} == {"completed"}
    assert Counter(ticked.effects) == {
        f"{when} {n}": 1 for when in ("before", "after") for n in range(6)
    }


def test_it_goes_on_looking_for_as_long_as_it_is_told(ticked: Project) -> None:
    ticked.run("trigger", "nap", "--seconds", "2", "--suspend", expect=75)
    ticked.run("tick", "--for", "6s")
    assert ticked.runs()[0]["status"] == "completed"


def test_a_run_that_is_killed_again_and_again_is_left_and_listed_so(ticked: Project) -> None:
    ticked.job(
        """
        @define_job
        def dies(step: Step) -> None:
            step.run("dies", lambda: effect("dies") and os.kill(os.getpid(), 9))
        """,
        "dies",
    )
    ticked.run("trigger", "dies", expect=None)
    for _ in range(7):
        ticked.run("tick", "-q", expect=None)
    assert len(ticked.effects) == 6  # by the trigger, and five times since
    assert "tick" in ticked.runs()[0]["reason"]
