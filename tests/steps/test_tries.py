"""A step that fails is tried again: as often, after such pauses, and through any kill."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from durably import Retry, RetryAfter, Step, StepError, StepMisused

from durably_cli.journal.step_events import StepFailed, StepRetrying, StepStarted
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.operation import Begun, Call, Raised, fresh_past
from durably_cli.steps.tries import pause_behind
from durably_cli.system import clock
from durably_cli.values import convert
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project
from tests.harness.memory_log import MemoryLog


class Flaky:
    """A function that raises these, one a call, and then returns how often it was called."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def retried(log: MemoryLog) -> list[StepRetrying]:
    return [event for event in log.events if isinstance(event, StepRetrying)]


def pauses(log: MemoryLog) -> list[float]:
    """The seconds between each failed try and the next one."""
    times = [(clock.parse_time(each.until), clock.parse_time(each.at)) for each in retried(log)]
    return [(until - at).total_seconds() for until, at in times]


def test_it_is_called_until_it_returns_and_each_failed_try_is_one_durable_line() -> None:
    flaky, log = Flaky(OSError("a"), ValueError("b")), MemoryLog()
    assert Step({}, log.append).run("x", flaky, tries=3) == 3
    assert [type(event).__name__ for event in log.events] == [
        *("StepStarted", "StepRetrying", "StepStarted", "StepRetrying"),
        *("StepStarted", "StepCompleted"),
    ]
    assert [(each.tries, each.of, each.error.message) for each in retried(log)] == [
        (1, 3, "a"),
        (2, 3, "b"),
    ]


def test_the_last_try_is_the_failure_of_the_step() -> None:
    flaky, log = Flaky(OSError("a"), OSError("b"), OSError("c")), MemoryLog()
    with pytest.raises(OSError, match="b"):
        Step({}, log.append).run("x", flaky, tries=2)
    assert isinstance(log.events[-1], StepFailed)
    assert log.events[-1].tries == 2
    assert flaky.calls == 2


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(5, delay=1, jitter=False), [1, 2, 4, 8]),
        (
            Retry(5, delay="2s", backoff=3, max_delay=timedelta(seconds=7), jitter=False),
            [2, 6, 7, 7],
        ),
        (Retry(5, delay=1, backoff=1, jitter=False), [1, 1, 1, 1]),
        (Retry(5, delay=0), [0, 0, 0, 0]),
    ],
)
def test_pauses_grow_up_to_the_longest(retry: Retry, expected: list[float]) -> None:
    log = MemoryLog()
    with pytest.raises(OSError):
        Step({}, log.append).run("x", Flaky(*(OSError() for _ in range(9))), tries=retry)
    assert pauses(log) == pytest.approx(expected, abs=0.1)


def test_a_pause_is_asked_for_with_its_length_by_this_attempt_and_the_next() -> None:
    call = FunctionCall(
        "x", int, (), convert.converter(object), retry=Retry(3, delay=7, jitter=False)
    )
    plan = call.plan(fresh_past({}))
    assert isinstance(next(plan), StepStarted)
    assert isinstance(plan.send(None), Call)
    retrying = plan.send(Raised(OSError("busy")))
    wait = plan.send(None)
    assert (wait.until, wait.longest) == (retrying.until, pytest.approx(7, abs=0.1))
    begun = {"x": Begun(1, retrying.at)}
    resumed = call.plan(fresh_past({})._replace(unfinished={"x": retrying}, begun=begun))
    assert next(resumed) == wait


def test_pauses_of_a_thousand_tries_have_a_number() -> None:
    retry = Retry(2000, backoff=10, jitter=False)
    assert pause_behind(retry, 1999, OSError()) == 60


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    found = [pause_behind(Retry(2, delay=10), 1, OSError()) for _ in range(200)]
    assert 5 <= min(found) < 6
    assert 9 < max(found) <= 10


def test_a_server_says_how_long() -> None:
    flaky, log = Flaky(RetryAfter("1h"), RetryAfter(0.5)), MemoryLog()
    Step({}, log.append).run("x", flaky, tries=Retry(3, max_delay=1))
    assert pauses(log) == pytest.approx([3600, 0.5], abs=0.1)


def test_without_tries_it_fails_and_says_what_to_give() -> None:
    log = MemoryLog()
    with pytest.raises(RetryAfter, match="try again in 30 s"):
        Step({}, log.append).run("x", Flaky(RetryAfter(30)))
    (failed,) = (event for event in log.events if isinstance(event, StepFailed))
    assert "tries=5" in failed.error.traceback


def test_no_try_begins_behind_the_time_for_all_of_them() -> None:
    flaky, log = Flaky(*(OSError() for _ in range(9))), MemoryLog()
    with pytest.raises(OSError):
        Step({}, log.append).run("x", flaky, tries=Retry(9, delay=4, jitter=False, max_time=10))
    assert pauses(log) == pytest.approx([4, 8], abs=0.1)  # each is passed over, in memory


@pytest.mark.parametrize(
    ("on", "calls"),
    [
        (OSError, 2),
        ((ValueError, ConnectionError), 2),
        (lambda error: "busy" in str(error), 2),
        (ValueError, 1),
        (lambda error: False, 1),
    ],
)
def test_only_after_such_exceptions(on: Any, calls: int) -> None:
    flaky = Flaky(ConnectionError("busy"))
    step = Step()
    if calls == 1:
        with pytest.raises(ConnectionError):
            step.run("x", flaky, tries=Retry(2, on=on))
    else:
        step.run("x", flaky, tries=Retry(2, on=on))
    assert flaky.calls == calls


def test_a_word_on_what_is_tried_again_that_raises_is_the_failure() -> None:
    def on(error: Exception) -> bool:
        raise LookupError("my own bug")

    log = MemoryLog()
    with pytest.raises(LookupError, match="my own bug") as raised:
        Step({}, log.append).run("x", Flaky(OSError("first")), tries=Retry(3, on=on))
    assert isinstance(raised.value.__context__, OSError)
    assert isinstance(log.events[-1], StepFailed)
    assert "my own bug" in log.events[-1].error.traceback


@pytest.mark.parametrize(
    "function",
    [lambda: {1: object()}, lambda: sys.exit(3), lambda: Step().run("", int)],
)
def test_what_no_try_can_mend_is_not_tried_again(function: Callable[[], object]) -> None:
    log = MemoryLog()
    with pytest.raises((StepError, SystemExit)):
        Step({}, log.append).run("x", function, tries=Retry(5, on=(Exception, SystemExit)))
    assert not retried(log)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Retry(0), "the first call is one of them"),
        (lambda: Retry(2.5), "a whole number"),
        (lambda: Retry(True), "a whole number"),
        (lambda: Retry(3, delay=-1), "negative"),
        (lambda: Retry(3, delay="soon"), "reads 90s"),
        (lambda: Retry(3, max_delay=float("inf")), "longer than 100 years"),
        (lambda: Retry(3, max_time=float("nan")), "no number"),
        (lambda: Retry(3, backoff=0.5), "from 1 to"),
        (lambda: Retry(3, jitter="x"), "True or False"),
        (lambda: Retry(3, on="OSError"), "an exception class"),
        (lambda: Retry(3, on=int), "an exception class"),
        (lambda: RetryAfter("tomorrow"), "reads 90s"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        make()


@pytest.mark.parametrize("tries", [0, -3, "5", None, 2.0, 1.0, True])
def test_a_number_of_tries_that_makes_no_sense_is_misuse(tries: Any) -> None:
    with pytest.raises(StepMisused, match=r"step 'x': .*; give a number, or Retry\(5, delay=2\)"):
        Step().run("x", int, tries=tries)
    with pytest.raises(StepMisused, match=r"step 'x': .*; give a number, or Retry\(5, delay=2\)"):
        Step().sh("x", ["true"], tries=tries)


JOB = """
    from durably import Retry, RetryAfter

    class Input(BaseModel):
        pause: float = 0.0
        tries: int = 3
        hangs: int = 0

    def fetch(payload: Input) -> int:
        effect("call")
        with open(os.environ["EFFECTS"]) as effects:
            calls = sum(line == "call\\n" for line in effects)
        if calls == payload.hangs:
            time.sleep(600)
        if os.path.exists("mended"):
            return calls
        raise ConnectionError(f"call {calls}")

    @define_job
    def work(step: Step, payload: Input) -> int:
        retry = Retry(payload.tries, delay=payload.pause, jitter=False)
        return step.run("fetch", fetch, payload, tries=retry)
"""


def kill_when(project: Project, mark: bytes, *args: str) -> None:
    """Start a run, and kill it once its journal has this in it."""
    with project.start("trigger", "work", *args) as process:
        project.wait_for_effects(1)
        journal = project.journal()
        while mark not in journal.read_bytes():
            time.sleep(0.001)
        process.kill()


def test_killed_in_a_pause_the_rest_of_it_is_waited_and_no_try_is_lost(project: Project) -> None:
    project.job(JOB)
    kill_when(project, b"step.retrying", "--pause", "0.8")
    (step,) = project.inspect()["checkpoints"]
    assert (step["status"], step["tries"]) == ("retrying", 1)
    assert "in doubt" not in project.run("list").out
    again = project.run("resume", "@last", expect=1)
    assert "step fetch had failed, try 1 of 3" in again.err
    assert again.err.count("failed in step fetch after 3 tries") == 1
    lines = [json.loads(line) for line in project.journal().read_text().splitlines()]
    first = next(line for line in lines if line["type"] == "step.retrying")
    starts = [line["at"] for line in lines if line["type"] == "step.started"]
    assert first["until"] == step["next_try"] <= starts[1]
    assert len(starts) == 3
    assert project.effects == ["call"] * 3


@pytest.mark.parametrize(("hangs", "calls"), [(1, 3), (3, 4)])
def test_killed_in_a_try_that_counts_and_each_attempt_may_make_one(
    project: Project, hangs: int, calls: int
) -> None:
    """One killed in its third of three tries makes a fourth."""
    project.job(JOB)
    with project.start("trigger", "work", "--hangs", str(hangs)) as process:
        project.wait_for_effects(hangs)
        process.kill()
    project.run("resume", "@last", expect=1)
    assert project.effects == ["call"] * calls


def test_who_resumes_a_failed_run_opens_all_tries_again(project: Project) -> None:
    project.job(JOB)
    failed = project.run("trigger", "work", expect=1)
    assert "step fetch failed, try 2 of 3: ConnectionError: call 2; again in 0 ms" in failed.err
    project.run("resume", "@last", expect=1)
    assert project.effects == ["call"] * 6
    (project.root / "mended").touch()
    assert project.run("resume", "@last").out == "7\n"


def test_a_run_in_a_pause_says_what_it_waits_for(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--pause", "600") as process:
        project.wait_for_effects(1)
        while b"step.retrying" not in project.journal().read_bytes():
            time.sleep(0.001)
        (step,) = project.inspect()["checkpoints"]
        at = f"{step['next_try'][:10]} {step['next_try'][11:19]}Z"
        reason = f"fetch: try 1 of 3 failed (ConnectionError: call 1), again at {at}"
        assert project.runs()[0]["reason"] == reason
        process.terminate()
        process.result()
    reason = "SIGTERM, fetch: try 1 of 3 failed (ConnectionError: call 1)"
    assert project.runs()[0]["reason"] == reason
    project.run("cancel", "@last")
    (step,) = project.inspect()["checkpoints"]
    assert (step["status"], step["next_try"]) == ("failed", None)
    assert project.runs()[0]["steps_failed"] == 1


def test_a_step_that_comes_through_says_in_which_try(project: Project) -> None:
    project.job(JOB.replace('if os.path.exists("mended")', "if calls == 2"))
    done = project.run("trigger", "work")
    assert re.search(r"^step fetch completed in .+, in try 2$", done.err, re.MULTILINE)


def test_inspect_counts_the_tries_since_the_last_failure_of_the_run(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", "--hangs", "4", expect=1)
    with project.start("resume", "@last") as process:
        project.wait_for_effects(4)
        process.kill()
    (step,) = project.inspect()["checkpoints"]
    assert (step["status"], step["tries"]) == ("in doubt", 1)


@pytest.mark.long
def test_the_time_for_all_tries_runs_on_over_a_kill(project: Project) -> None:
    project.job(
        """
        from durably import Retry

        def fetch() -> None:
            effect("call")
            raise ConnectionError

        @define_job
        def work(step: Step, payload: dict[str, int]) -> None:
            retry = Retry(99, delay=1.5, backoff=1, jitter=False, max_time=2)
            step.run("fetch", fetch, tries=retry)
        """
    )
    kill_when(project, b"step.retrying")
    project.run("resume", "@last", expect=1)
    assert project.effects == ["call"] * 2


def test_a_signal_ends_a_pause(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--pause", "600") as process:
        project.wait_for_effects(1)
        while b"step.retrying" not in project.journal().read_bytes():
            time.sleep(0.001)
        process.terminate()
        assert re.search("again in (1|59)", process.communicate()[1])
        assert process.returncode == 143
    shown = project.run("inspect", "@last").out
    assert "step\tfetch\tretrying" in shown


def test_an_older_durably_refuses_to_go_on(project: Project) -> None:
    """What changes a resume is an event of its own."""
    project.job(JOB)
    project.run("trigger", "work", expect=1)
    types = [json.loads(line)["type"] for line in project.journal().read_text().splitlines()]
    assert types.count("step.retrying") == 2
    assert types.count("step.failed") == 1


@pytest.mark.long
def test_secrets_in_what_is_tried_again_are_masked(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        def fetch() -> int:
            raise ConnectionError("token is s3cr3t-value")

        @define_job
        def work(step: Step, payload: Input) -> int:
            return step.run("fetch", fetch, tries=2)
        """
    )
    project.env["TOKEN"] = "s3cr3t-value"
    failed = project.run("trigger", "work", "--token", "env:TOKEN", expect=1)
    assert "s3cr3t" not in project.journal().read_text() + failed.err


@pytest.mark.long
def test_a_large_error_of_a_try_is_in_a_file_of_its_own(project: Project) -> None:
    project.job(
        """
        def fetch() -> int:
            raise ConnectionError("x" * 200_000)

        @define_job
        def work(step: Step, payload: dict[str, int]) -> int:
            return step.run("fetch", fetch, tries=2)
        """
    )
    project.run("trigger", "work", expect=1)
    assert project.journal().stat().st_size < 50_000
    project.run("verify")


def test_inspect_hides_nothing_behind_what_is_tried_again(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--pause", "600") as process:
        project.wait_for_effects(1)
        while b"step.retrying" not in project.journal().read_bytes():
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        project.run("cancel", "@last", "--reason", "wrong month", "--timeout", "0s", expect=75)
        shown = on_a_terminal(project, "inspect", "@last")
        process.kill()
    assert "wrong month" in shown
    assert shown.count("try 1 of 3 failed") == 1
    with open(project.journal(), "ab") as journal:
        journal.write(b"damage\ndamage\n")
    assert re.search(r"damage +line \d+", on_a_terminal(project, "inspect", "@last"))
