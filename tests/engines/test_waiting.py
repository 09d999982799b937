"""Runs that wait: sat by a process or suspended, killed, gone on with, cancelled."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.steps.mail import Sent
from durably_cli.system import clock
from durably_cli.values.strict_json import Json
from tests.conftest import Project, disk_ends_at

ASKS = """
    from durably import Approval

    @define_job
    def work(step: Step) -> str:
        step.run("before", effect, "before")
        answer = step.wait_signal("ok", Approval, prompt="Go on?", timeout="3d")
        return step.run("after", effect, f"after, said {answer.by}")
"""

NAPS = """
    class Nap(BaseModel):
        seconds: float = 0.4

    @define_job
    def work(step: Step, payload: Nap) -> str:
        step.run("before", effect, "before")
        step.sleep("nap", payload.seconds)
        return step.run("after", effect, "after")
"""


def within(seconds: float, is_so: Callable[[], bool]) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)


def send(project: Project, run: str, name: str, value: str, at: str = "") -> bool:
    journal = project.journal(run)
    sent = Sent(Json(value), "ann", at or clock.now())
    return SignalsSent(journal).send(name, sent, journal.parents[2] / "tmp")


APPROVED = '{"approved":true,"by":"ann"}'


def waits(project: Project) -> bool:
    return bool(project.runs()[0]["status"] == "waiting")


def test_a_suspended_run_ends_with_75_and_goes_on_where_it_was(project: Project) -> None:
    project.job(ASKS)
    suspended = project.run("trigger", "work", "--suspend", expect=75)
    assert suspended.out == ""
    assert "\nGo on? (ok, until " in suspended.err
    assert "durably approve" in suspended.err
    assert project.runs()[0]["status"] == "waiting"
    assert send(project, "@last", "ok", APPROVED)
    assert project.run("resume", "@last").out == '"after, said ann"\n'
    assert project.effects == ["before", "after, said ann"]
    project.run("verify")


def test_quiet_is_silent_of_a_run_that_sleeps(project: Project) -> None:
    project.job(NAPS)
    long = ("trigger", "work", "--seconds", "1000", "--suspend", "-q")
    suspended = project.run(*long, expect=75)
    assert (suspended.out, suspended.err) == ("", "")


def test_a_wait_that_the_code_has_no_more_is_over(project: Project) -> None:
    """Its question is asked no more, and its signal is no reason to take the run up."""
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    project.job(ASKS.replace('"ok"', '"okay"'))
    project.run("signal", "@last", "ok", "-i", APPROVED)
    assert project.run("tick").out.split("\t")[2:4] == ["signal", "waiting"]
    assert [wait["step"] for wait in project.inspect()["waits"]] == ["okay"]
    assert project.run("tick", "--dry-run").out == ""
    project.run("approve", "@last", "ok", expect=4)
    project.run("approve", "@last")
    assert project.run("tick").out.split("\t")[2:4] == ["signal", "completed"]


def test_a_step_that_waits_in_another_way_now_begins_anew(project: Project) -> None:
    project.job(NAPS)
    project.run("trigger", "work", "--seconds", "1000", "--suspend", expect=75)
    asks = NAPS.replace('step.sleep("nap", payload.seconds)', 'step.wait_signal("nap", int)')
    project.job(asks)
    project.run("resume", "@last", "--suspend", expect=75)
    (wait,) = project.inspect()["waits"]
    assert (wait["kind"], wait["until"]) == ("signal", None)
    project.run("signal", "@last", "nap", "-i", "3")
    project.run("resume", "@last")
    assert project.effects == ["before", "after"]


def test_a_wait_whose_task_was_cancelled_begins_anew_in_the_next_attempt(project: Project) -> None:
    project.job(
        """
        import asyncio
        from contextlib import suppress
        import signal
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> int:
            if step.attempt == 1:
                with suppress(TimeoutError):
                    await asyncio.wait_for(step.wait_signal("go", int), 0.2)
                os.kill(os.getpid(), signal.SIGKILL)
            return await step.wait_signal("go", int)
        """
    )
    project.run("trigger", "work", expect=-9)
    project.run("resume", "@last", "--suspend", expect=75)
    assert project.runs()[0]["status"] == "waiting"
    project.run("signal", "@last", "go", "-i", "7")
    assert project.run("tick").out.split("\t")[2:4] == ["signal", "completed"]


def test_the_document_of_a_run_that_waits_says_what_for_and_what_to_type(project: Project) -> None:
    project.job(ASKS)
    found = json.loads(project.run("trigger", "work", "--suspend", "--json", expect=75).out)
    run = found["run"]
    assert (run["status"], found["error"]["code"]) == ("waiting", "waiting")
    (wait,) = run["waits"]
    assert (wait["step"], wait["kind"], wait["prompt"]) == ("ok", "signal", "Go on?")
    assert wait["takes"]["title"] == "Approval"
    assert run["due"] == wait["until"]
    assert any(" approve " in command for command in found["next"])


def test_a_process_that_sits_takes_a_signal_up(project: Project) -> None:
    project.job(ASKS)
    with project.start("trigger", "work") as process:
        within(60, lambda: bool(project.effects) and waits(project))
        assert send(project, "@last", "ok", APPROVED)
        assert process.result().out == '"after, said ann"\n'


def test_killed_while_it_sits_it_waits_and_is_taken_up_with_the_rest(project: Project) -> None:
    project.job(NAPS)
    with project.start("trigger", "work", "--seconds", "1") as process:
        project.wait_for_effects()
        within(60, lambda: waits(project))
        assert process.is_killed()
    assert project.runs()[0]["status"] == "waiting"
    before = time.monotonic()
    project.run("resume", "@last")
    assert time.monotonic() - before < 30  # of the rest, and not of more
    assert project.effects == ["before", "after"]
    waited = [each for each in project.inspect()["checkpoints"] if each["name"] == "nap"]
    assert waited[0]["ms"] >= 1000


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_a_wait_at_once_and_is_no_failure(project: Project, signum: int) -> None:
    project.job(ASKS)
    with project.start("trigger", "work") as process:
        within(60, lambda: bool(project.effects) and waits(project))
        process.send_signal(signum)
        assert process.result().code == 128 + signum
    assert send(project, "@last", "ok", APPROVED)
    project.run("resume", "@last")
    assert project.effects == ["before", "after, said ann"]


def test_a_run_that_waits_is_cancelled_held_or_not(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("cancel", "@last", "--reason", "no need")
    assert project.runs()[0]["status"] == "cancelled"
    project.effects_path.unlink()
    with project.start("trigger", "work") as process:
        within(60, lambda: bool(project.effects) and waits(project))
        project.run("cancel", "@last")
        assert process.result().code == 3


def test_a_trigger_with_the_key_of_one_that_waits_says_until_when_and_leaves(
    project: Project,
) -> None:
    project.job(ASKS)
    key = ("--idempotency-key", "today")
    project.run("trigger", "work", "--suspend", *key, expect=75)
    again = project.run("trigger", "work", *key, expect=75)
    assert "waits" in again.err
    assert "until" in again.err
    with project.start("resume", "@last") as process:
        within(60, lambda: project.inspect()["attempts"][-1]["attempt"] == 2)
        project.run("trigger", "work", *key, expect=75)  # one that a process sits by, too
        assert send(project, "@last", "ok", APPROVED)
        assert process.result().code == 0
    assert project.run("trigger", "work", *key).out == '"after, said ann"\n'
    assert len(project.runs()) == 1


def test_a_trigger_with_the_key_of_one_that_is_due_takes_it_up(project: Project) -> None:
    project.job(NAPS)
    key = ("--seconds", "1.5", "--idempotency-key", "today")
    project.run("trigger", "work", "--suspend", *key, expect=75)
    time.sleep(1.6)
    assert project.run("trigger", "work", *key).out == '"after"\n'


def test_a_suspended_run_holds_no_turn(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", "--concurrency-key", "k", expect=75)
    project.run(
        *("trigger", "work", "--suspend", "--concurrency-key", "k", "--on-conflict", "fail"),
        expect=75,
    )
    assert [run["status"] for run in project.runs()] == ["waiting", "waiting"]


def test_the_time_that_a_run_waits_is_none_of_its_limit(project: Project) -> None:
    project.job(NAPS)
    project.run("trigger", "work", "--seconds", "2.5", "--timeout", "1s")
    assert project.effects == ["before", "after"]


def test_a_signal_of_the_wrong_type_is_refused_with_a_line_and_another_may_come(
    project: Project,
) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            step.run("before", effect, "before")
            return step.wait_signal("n", int)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    assert send(project, "@last", "n", '"three"')
    suspended = project.run("resume", "@last", "--suspend", expect=75)
    assert "signal 'n' of ann is not taken" in suspended.err
    assert send(project, "@last", "n", "3")
    assert project.run("resume", "@last").out == "3\n"


def test_a_signal_behind_the_deadline_comes_too_late_whoever_looks_when(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            step.run("before", effect, "before")
            return step.wait_signal("n", int, timeout=1.2, default=0)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    time.sleep(1.3)
    project.run("signal", "@last", "n", "-i", "3", expect=5)
    assert project.run("resume", "@last").out == "0\n"
    project.run("trigger", "work", "--suspend", expect=75)
    assert send(project, "@last", "n", "3")
    time.sleep(1.3)
    assert project.run("resume", "@last").out == "3\n"


def test_all_items_of_a_for_each_wait_and_the_run_is_suspended(project: Project) -> None:
    project.job("""
        def body(step: Step, item: str) -> int:
            step.run("before", effect, f"before {item}")
            found = step.wait_signal("n", int)
            step.run("after", effect, f"after {item}")
            return found

        @define_job
        def work(step: Step) -> list:
            return step.for_each("each", body, ["x", "y"])
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    assert send(project, "@last", "each[x].n", "1")
    suspended = project.run("resume", "@last", "--suspend", expect=75)
    assert "each[y].n" in suspended.err
    assert send(project, "@last", "each[y].n", "2")
    assert json.loads(project.run("resume", "@last").out) == [1, 2]
    assert sorted(project.effects) == ["after x", "after y", "before x", "before y"]


def test_tasks_that_all_wait_suspend_their_run_and_one_at_work_does_not(project: Project) -> None:
    project.job("""
        import asyncio
        import signal
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> list:
            return await asyncio.gather(
                step.wait_signal("n", int),
                step.sleep("nap", 600),
                step.run("slow", lambda: time.sleep(1) or effect("slow")),
            )
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    assert project.effects == ["slow"]
    assert {wait["step"] for wait in project.inspect()["waits"]} == {"n", "nap"}


def test_a_wait_that_its_handler_gave_up_is_open_no_more(project: Project) -> None:
    project.job("""
        import asyncio
        import signal
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> str:
            try:
                async with asyncio.timeout(0.1):
                    await step.wait_signal("n", int)
            except TimeoutError:
                return await step.run("after", effect, "after")
            return ""
    """)
    project.run("trigger", "work")
    gave_up = [each["status"] for each in project.inspect()["checkpoints"] if each["name"] == "n"]
    assert gave_up == ["cancelled"]


def test_a_finally_of_the_handler_takes_no_step_when_the_run_is_suspended(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> None:
            try:
                step.wait_signal("n", int)
            finally:
                step.run("release", effect, "release")
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    assert project.effects == []
    assert send(project, "@last", "n", "1")
    project.run("resume", "@last")
    assert project.effects == ["release"]


def test_a_poll_of_a_suspended_run_looks_again_when_it_is_taken_up(
    project: Project, tmp_path: Path
) -> None:
    project.env["THERE"] = str(tmp_path / "there")
    project.job("""
        def look() -> str | None:
            effect("look")
            return "there" if os.path.exists(os.environ["THERE"]) else None

        @define_job
        def work(step: Step) -> str:
            return step.poll("there", look, every="1h")
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    due: Any = project.inspect()["due"]
    assert due > clock.now()
    (tmp_path / "there").touch()
    assert project.run("resume", "@last").out == '"there"\n'
    assert project.effects == ["look", "look"]
    events = [json.loads(line)["type"] for line in project.journal().read_text().splitlines()]
    assert [each for each in events if each.startswith("step.")] == [
        "step.waiting",
        "step.completed",
    ]


def test_a_child_is_made_once_resumed_and_shown_with_its_parent(project: Project) -> None:
    project.job("""
        @define_job
        def child(step: Step) -> str:
            step.run("one", effect, "child one")
            step.wait_signal("go", bool)
            return step.run("two", effect, "child two")

        @define_job
        def work(step: Step) -> str:
            step.run("before", effect, "before")
            found = step.run_job("kid", child, None, labels={"of": "work"})
            return step.run("after", effect, f"after {found}")
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    parent, kid = project.inspect("@last/work"), project.inspect("@last/child")
    assert (parent["status"], kid["status"]) == ("waiting", "waiting")
    assert kid["parent"] == parent["id"]
    assert kid["labels"] == {"of": "work"}
    assert [each["run"] for each in parent["children"]] == [kid["id"]]
    shown = project.run("resume", "@last/work", "--suspend", expect=75).err
    assert kid["id"][-8:] in shown
    assert send(project, "@last/child", "go", "true")
    assert project.run("resume", "@last/work").out == '"after child two"\n'
    assert project.effects == ["before", "child one", "child two", "after child two"]
    assert len(project.runs()) == 2


def test_a_child_that_failed_fails_its_parent_and_is_resumed_with_it(
    project: Project, tmp_path: Path
) -> None:
    project.env["THERE"] = str(tmp_path / "there")
    project.job("""
        @define_job
        def child(step: Step) -> str:
            step.run("one", effect, "child one")
            return step.run("two", lambda: open(os.environ["THERE"]).read() or "found")

        @define_job
        def work(step: Step) -> str:
            return step.run_job("kid", child, None)
    """)
    failed = project.run("trigger", "work", expect=1)
    assert "RunFailed" in failed.err
    assert "FileNotFoundError" in failed.err
    (tmp_path / "there").touch()
    assert project.run("resume", "@last/work").out == '"found"\n'
    assert project.effects == ["child one"]
    assert len(project.runs()) == 2


def test_a_child_is_cancelled_with_its_parent_held_or_not(project: Project) -> None:
    project.job("""
        @define_job
        def child(step: Step) -> None:
            step.run("one", effect, "child one")
            step.wait_signal("go", bool)

        @define_job
        def work(step: Step) -> None:
            step.run_job("kid", child, None)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("cancel", "@last/work")
    assert {run["status"] for run in project.runs()} == {"cancelled"}
    project.effects_path.unlink()
    with project.start("trigger", "work") as process:
        within(60, lambda: bool(project.effects) and waits(project))
        project.run("cancel", "@last/work")
        assert process.result().code == 3
    assert {run["status"] for run in project.runs()} == {"cancelled"}
    assert len(project.runs()) == 4


def test_one_that_waits_is_deleted_by_the_status_that_list_says(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    refused = project.run("delete", "@last", "--status", "interrupted", expect=2)
    assert "is waiting, and only those that are interrupted" in refused.err
    project.run("delete", "@last", "--status", "waiting")
    assert project.runs() == []


def test_a_signal_that_the_disk_has_no_room_for_is_not_sent(project: Project) -> None:
    project.job(ASKS)
    project.run("trigger", "work", "--suspend", expect=75)
    full = project.run("approve", "@last", expect=74, **disk_ends_at(10))
    assert f"{project.data}" in full.err
    project.run("approve", "@last")
    assert project.run("resume", "@last").code == 0


@pytest.mark.parametrize(
    ("waits", "result"),
    [
        ('step.wait_signal("it", int)', "7"),
        ('step.poll("it", lambda: None, every="1d", returns=int)', "7"),
        ('step.sleep("it", "1d") or 7', "null"),
        ('step.run_job("it", other, None)', "7"),
    ],
)
def test_somebody_says_what_came_of_a_wait(project: Project, waits: str, result: str) -> None:
    project.job(
        f"""
        @define_job
        def other(step: Step) -> int:
            return step.wait_signal("never", int)

        @define_job
        def work(step: Step) -> int:
            return {waits}
        """
    )
    project.run("trigger", "work", "--suspend", expect=75)
    (parent,) = (run["id"] for run in project.runs() if run["job"] == "work")
    assert project.run("resume", parent, "--done", "it", "--result", result).out == "7\n"


def test_what_somebody_says_of_a_wait_must_fit_it(project: Project) -> None:
    project.job(NAPS.replace('step.sleep("nap", payload.seconds)', 'step.wait_signal("nap", int)'))
    project.run("trigger", "work", "--suspend", expect=75)
    refused = project.run("resume", "@last", "--done", "nap", "--result", '"text"', expect=1)
    assert "does not fit" in refused.err
    project.run("resume", "@last", "--done", "nap", "--result", "3")


def test_no_poll_is_over_too_early_however_often_it_looks(project: Project) -> None:
    """Not its deadline, for what is rounded up of each pause must not add up; and not its pause."""
    project.job(
        """
        import time
        from durably import RetryAfter, WaitTimeout

        @define_job
        def looks(step: Step) -> list[float]:
            spans = []
            for n, every in enumerate([0.0001, 0.0101, 1 / 30]):
                begun = time.monotonic()
                try:
                    step.poll(f"p{n}", lambda: None, every=every, timeout=0.6, returns=int)
                except WaitTimeout:
                    spans.append(time.monotonic() - begun)
            return spans

        @define_job
        def is_sent_away(step: Step) -> list[float]:
            looked = []

            def look() -> list[float] | None:
                looked.append(time.monotonic())
                if len(looked) % 2:
                    raise RetryAfter(0.05)
                return looked if len(looked) > 20 else None

            return step.poll("p", look, every=0.001, tries=9)
        """
    )
    spans = json.loads(project.run("trigger", "looks").out)
    assert len(spans) == 3 and min(spans) >= 0.6
    looked = json.loads(project.run("trigger", "is-sent-away").out)
    assert min(b - a for a, b in zip(looked[::2], looked[1::2], strict=False)) >= 0.05
