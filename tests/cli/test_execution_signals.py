"""INT, TERM and HUP: the step stops, the journal says so, and the run can be resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import Project, Started
from tests.crash.conftest import FORTY_STEPS, check_forty
from tests.harness.pasting import without_data

SLEEPER = """
    @define_job
    def sleeper(step: Step, payload: dict) -> str:
        step.run("first", effect, "first")
        step.run("second", nap if step.attempt == 1 else int)
        return "done"

    def nap() -> None:
        try:
            effect("napping")
            time.sleep(60)
        except Exception:
            effect("swallowed")
        finally:
            effect("unwound")
"""


@pytest.fixture
def sleeper(project: Project) -> Project:
    project.job(SLEEPER, "sleeper")
    return project


def started(project: Project, line: str, **popen: object) -> Started:
    process = project.start("trigger", "sleeper", **popen)
    project.wait_for_effects(line=line)
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_the_step_and_says_how_to_go_on(sleeper: Project, name: str) -> None:
    signum = signal.Signals[name]
    with started(sleeper, "napping") as process:
        process.send_signal(signum)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signum
    assert out == ""
    assert "was interrupted in step second" in err
    run = sleeper.runs()[0]
    assert f"durably resume {run['id'][-8:]}" in err
    assert run["status"] == "interrupted"
    assert run["reason"] == f"{name}, in doubt: second"
    assert sleeper.inspect()["attempts"][0]["outcome"] == name
    assert sleeper.effects == ["first", "napping", "unwound"]
    assert sleeper.run("resume", "@last").out == '"done"\n'
    assert sleeper.effects.count("first") == 1


def test_run_interrupted_is_written_after_the_step_has_unwound(project: Project) -> None:
    project.job(
        """
        @define_job(name="sleeper")
        def sleeper(step: Step, payload: dict) -> None:
            step.run("nap", nap, step)

        def nap(step: Step) -> None:
            try:
                effect("napping")
                time.sleep(60)
            finally:
                step.log.info("last words")
        """
    )
    with started(project, "napping") as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    events = project.run("inspect", "@last", "--events").out.splitlines()
    assert "last words" in events[-2]
    assert "run.interrupted" in events[-1]


def test_the_second_signal_ends_the_process_at_once(project: Project) -> None:
    project.job(
        """
        @define_job(name="sleeper")
        def sleeper(step: Step, payload: dict) -> None:
            try:
                effect("napping")
                time.sleep(60)
            finally:
                effect("unwinding")
                time.sleep(60)
        """
    )
    with started(project, "napping") as process:
        process.send_signal(signal.SIGINT)
        project.wait_for_effects(line="unwinding")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    (run,) = project.runs()
    assert run["status"] == "interrupted"
    first, second = err.splitlines()[-2:]
    assert first == "durably: stopping; a second signal ends it at once"
    assert without_data(second) == (
        f"durably: left at once; go on where it was: durably resume {run['id'][-8:]}"
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_that_was_ignored_on_entry_stays_ignored(project: Project, name: str) -> None:
    project.job(
        """
        @define_job(name="sleeper")
        def sleeper(step: Step, payload: dict) -> str:
            effect("napping")
            while not os.path.exists("go"):
                time.sleep(0.01)
            return "done"
        """
    )
    signum = signal.Signals[name]
    ignored = {"preexec_fn": lambda: signal.signal(signum, signal.SIG_IGN)}
    with started(project, "napping", **ignored) as process:
        process.send_signal(signum)
        time.sleep(0.1)
        (project.root / "go").touch()
        out, _ = process.communicate(timeout=30)
    assert out == '"done"\n'


def test_a_handler_that_swallows_the_interrupt_is_stopped_at_its_next_step(
    project: Project,
) -> None:
    project.job(
        """
        @define_job(name="sleeper")
        def sleeper(step: Step, payload: dict) -> None:
            try:
                effect("napping")
                time.sleep(60)
            except BaseException:
                effect("swallowed")
            step.run("never", effect, "never")
        """
    )
    with started(project, "napping") as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert project.effects == ["napping", "swallowed"]


@pytest.mark.long
def test_signals_at_any_moment_lose_nothing(project: Project) -> None:
    project.job(FORTY_STEPS, "forty")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 5:
        process = project.start("trigger", "forty", "--idempotency-key", "k")
        time.sleep(random.uniform(0.05, 0.45))
        if process.poll() is None:
            os.kill(process.pid, signum)
        _, err = process.communicate(timeout=30)
        if process.returncode == 1:  # Python's own start-up was interrupted: it says so
            assert "durably_cli" not in err.partition("KeyboardInterrupt")[0], err
            assert "KeyboardInterrupt" in err, err
            continue
        assert process.returncode in (0, 128 + signum, -signum)
    output = json.loads(project.run("trigger", "forty", "--idempotency-key", "k").out)
    check_forty(project.effects, output)


def test_a_python_program_that_triggers_keeps_its_own_signal_handlers(sleeper: Project) -> None:
    program = """
import signal, sys
sys.path.insert(0, ".")
from jobs.sleeper import sleeper
before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
try:
    sleeper.trigger({})
except KeyboardInterrupt:
    print("interrupted")
assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
"""
    with Started(
        [sys.executable, "-c", program],
        cwd=sleeper.root,
        env=sleeper.env,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        sleeper.wait_for_effects(line="napping")
        time.sleep(0.1)  # Python does not notice a signal that comes right before it sleeps
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert out == "interrupted\n"
    assert sleeper.inspect()["attempts"][0]["outcome"] == "SIGINT"
    assert sleeper.run("resume", "@last").out == '"done"\n'
