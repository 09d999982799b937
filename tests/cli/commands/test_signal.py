"""`durably signal`, `approve` and `deny`: what a run is sent, by whom, and what is refused."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import durably_cli
from durably_cli.errors import Conflict, InvalidInput, NotFound
from tests.conftest import Project

JOB = """
    from durably import Approval

    class Choice(BaseModel):
        region: str
        size: int = 1

    @define_job
    def work(step: Step) -> list:
        ok = step.wait_signal("approval", Approval, prompt="Apply the plan?", timeout="3d")
        effect(f"{ok.approved} {ok.reason}")
        chosen = step.wait_signal("choice", Choice)
        return [ok.approved, chosen.region, chosen.size]
"""


@pytest.fixture
def waiting(project: Project) -> Project:
    project.job(JOB)
    project.run("trigger", "work", "--suspend", expect=75)
    return project


def test_an_approval_and_a_signal_bring_the_run_to_its_end(waiting: Project) -> None:
    approved = waiting.run("approve", "@last", "--reason", "as agreed")
    assert "signal 'approval' is sent" in approved.err
    assert "durably resume" in approved.err
    waiting.run("resume", "@last", "--suspend", expect=75)
    assert waiting.effects == ["True as agreed"]
    waiting.run("signal", "@last", "choice", "-p", "region=eu", "-p", "size:=3")
    assert json.loads(waiting.run("resume", "@last").out) == [True, "eu", 3]


def test_a_denial_is_an_answer_too(waiting: Project) -> None:
    waiting.run("deny", "@last", "approval", "--reason", "no money")
    waiting.run("resume", "@last", "--suspend", expect=75)
    assert waiting.effects == ["False no money"]


def test_of_24_senders_the_first_one_counts_and_the_run_receives_it_once(waiting: Project) -> None:
    def send(n: int) -> int:
        value = json.dumps({"region": f"r{n % 12}"})
        return waiting.run("signal", "@last", "choice", "-i", value, expect=None).code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(send, range(24)))
    assert Counter(codes) == {0: 2, 5: 22}
    waiting.run("approve", "@last")
    output = json.loads(waiting.run("resume", "@last").out)
    assert codes[int(output[1][1:])] == 0
    received = waiting.journal().read_text().count('"type":"signal.received","name":"choice"')
    assert received == 1


def test_a_value_of_another_type_is_refused_with_every_field(waiting: Project) -> None:
    waiting.run("approve", "@last")
    waiting.run("resume", "@last", "--suspend", expect=75)
    refused = waiting.run("signal", "@last", "choice", "-i", '{"size": "big"}', expect=65)
    assert "region: it is missing" in refused.err
    assert "size: 'big' is no integer" in refused.err
    waiting.run("signal", "@last", "choice", "-i", '{"region": "eu"}')


def test_a_mistyped_name_is_refused_with_the_one_that_is_near(waiting: Project) -> None:
    refused = waiting.run("signal", "@last", "aproval", "-i", "1", expect=4)
    assert "but for 'approval'" in refused.err
    document = json.loads(
        waiting.run("signal", "@last", "aproval", "-i", "1", "--json", expect=4).out
    )
    assert document["error"]["code"] == "no-such-signal"
    early = json.loads(
        waiting.run("signal", "@last", "aproval", "-i", "1", "--early", "--json").out
    )
    assert early["signal"]["early"] is True


def test_another_answer_is_a_conflict_and_the_same_is_not(waiting: Project) -> None:
    waiting.run("approve", "@last")
    assert "was sent before" in waiting.run("approve", "@last", "--reason", "again").err
    conflict = waiting.run("deny", "@last", "--json", expect=5)
    assert json.loads(conflict.out)["error"]["code"] == "signal-conflict"
    waiting.run("resume", "@last", "--suspend", expect=75)  # which takes it
    assert "was sent before" in waiting.run("signal", "@last", "approval", "-i", _YES).err
    waiting.run("signal", "@last", "approval", "-i", _NO, expect=5)


_YES = '{"approved":true,"by":"x","reason":null}'
_NO = '{"approved":false,"by":"x","reason":null}'


def test_a_run_that_has_ended_takes_none(waiting: Project) -> None:
    waiting.run("cancel", "@last")
    refused = waiting.run("approve", "@last", expect=4)
    assert "asks no question" in refused.err
    waiting.run("signal", "@last", "choice", "-i", "1", expect=5)


def test_one_behind_the_deadline_is_refused(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            return step.wait_signal("n", int, timeout=0.6)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    time.sleep(0.7)
    late = project.run("signal", "@last", "n", "-i", "3", expect=5)
    assert "deadline" in late.err
    failed = project.run("resume", "@last", expect=1)
    assert "WaitTimeout: step 'n': no signal has come within" in failed.err


def test_one_for_a_step_that_is_over_is_refused_unless_it_is_early_on_purpose(
    project: Project,
) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            given = step.wait_signal("n", int, timeout=0.6, default=-1)
            return given + step.wait_signal("other", int)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    time.sleep(0.7)
    project.run("resume", "@last", "--suspend", expect=75)
    assert "until its deadline" in project.run("signal", "@last", "n", "-i", "3", expect=5).err
    project.run("signal", "@last", "n", "-i", "3", "--early")
    project.run("signal", "@last", "other", "-i", "1")
    assert project.run("resume", "@last").out == "0\n"


def test_which_of_several_questions_is_to_be_said(project: Project) -> None:
    project.job("""
        def body(step: Step, item: str) -> bool:
            return step.wait_signal("ok", bool, prompt=f"Take {item}?")

        @define_job
        def work(step: Step) -> list:
            return step.for_each("each", body, ["x", "y"])
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    several = project.run("approve", "@last", expect=2)
    assert "each[x].ok" in several.err
    project.run("approve", "@last", "each[x].ok")
    project.run("deny", "@last", "each[y].ok")
    assert project.run("resume", "@last").out == "[true,false]\n"


def test_a_question_of_a_child_is_answered_by_its_parent(project: Project) -> None:
    project.job("""
        @define_job
        def kid(step: Step) -> bool:
            return step.wait_signal("ok", bool, prompt="Well?")

        @define_job
        def work(step: Step) -> bool:
            return step.run_job("kid", kid, None)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("approve", "@last/work")
    assert project.run("resume", "@last/work").out == "true\n"


def test_python_sends_one_as_the_command_does(
    waiting: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_DATA_DIR", str(waiting.data))
    monkeypatch.setenv("DURABLY_PROJECT", str(waiting.root))
    run = waiting.inspect()["id"]
    durably_cli.signal(run, "approval", durably_cli.Approval(approved=True, by="a program"))
    with pytest.raises(Conflict):
        durably_cli.signal(run, "approval", {"approved": False, "by": "", "reason": None})
    with pytest.raises(NotFound):
        durably_cli.signal("ffffffff", "approval", True)
    waiting.run("resume", "@last", "--suspend", expect=75)
    with pytest.raises(InvalidInput, match="region: it is missing"):
        durably_cli.signal(run, "choice", {})
    assert waiting.effects == ["True None"]


def test_an_answer_is_the_same_behind_its_receipt_and_another_one_is_a_conflict(
    waiting: Project,
) -> None:
    waiting.run("deny", "@last", "--reason", "no money")
    waiting.run("resume", "@last", "--suspend", expect=75)  # which takes it
    for name in ([], ["approval"]):
        assert "was sent before" in waiting.run("deny", "@last", *name).err
        waiting.run("approve", "@last", *name, expect=5)
    waiting.run("signal", "@last", "choice", "-p", "region=eu")
    waiting.run("resume", "@last")
    assert "was sent before" in waiting.run("deny", "@last").err  # of a completed one, too
    assert "was sent before" in waiting.run("signal", "@last", "approval", "-i", _NO).err
    waiting.run("approve", "@last", "choice", expect=4)


def test_true_is_not_1_and_1_is_not_1_0(project: Project) -> None:
    project.job("""
        from typing import Any

        @define_job
        def work(step: Step) -> Any:
            return step.wait_signal("n", Any)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("signal", "@last", "n", "-i", '{"a": [1]}')
    project.run("signal", "@last", "n", "-i", '{"a": [1]}')
    for other in ("true", "1.0"):
        project.run("signal", "@last", "n", "-i", f'{{"a": [{other}]}}', expect=5)


def test_a_step_that_waits_for_something_else_takes_no_signal(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> None:
            step.sleep("nap", "3d")
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    refused = project.run("signal", "@last", "nap", "-i", "1", expect=4)
    assert "step 'nap' of run" in refused.err
    assert "sleeps: it takes no signal" in refused.err
    assert "is there when" in project.run("signal", "@last", "naps", "-i", "1").err


def test_a_question_of_true_or_false_takes_no_reason(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> bool:
            return step.wait_signal("ok", bool)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    refused = project.run("deny", "@last", "--reason", "no money", expect=2)
    assert "question 'ok' takes no reason" in refused.err
    project.run("deny", "@last")
    assert project.run("resume", "@last").out == "false\n"


def test_a_signal_that_is_too_long_is_refused_with_how_long_one_may_be(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            return len(step.wait_signal("text", str))
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    for size, code in (16 * 2**20, 65), (15 * 2**20, 0):
        text = json.dumps("x" * size)
        sent = project.run("signal", "@last", "text", "-i", "-", input=text, expect=code)
        assert ("more than about 16,777,216" in sent.err) == (code == 65)
    assert project.run("resume", "@last").out == f"{15 * 2**20}\n"


def test_what_goes_on_is_said_with_the_tick_where_a_tick_does(project: Project) -> None:
    project.job("""
        @define_job
        def kid(step: Step) -> bool:
            return step.wait_signal("ok", bool)

        @define_job
        def work(step: Step) -> bool:
            return step.run_job("kid", kid, None)
    """)
    project.run("trigger", "work", "--suspend", expect=75)
    parent = project.inspect("@last/work")["id"][-8:]
    early = project.run("signal", "@last/work", "later", "-i", "1").err
    assert f"resume {parent}" in early
    assert " tick" not in early
    said = project.run("approve", "@last/kid").err
    assert f"resume {parent}, or by the next " in said
    assert said.rstrip().endswith(" tick")
