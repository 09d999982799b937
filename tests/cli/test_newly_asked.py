"""A question that a run comes to is said once where nothing else is: for the mail of cron."""

from __future__ import annotations

import shlex
import time

import pytest

from tests.conftest import Project
from tests.harness.pasting import paste

ASKS = """
    from durably import Approval

    @define_job
    def work(step: Step) -> str:
        step.run("plan", int)
        if not step.wait_signal("first", Approval, prompt="Begin?"):
            return "no"
        step.sleep("a while", 0.6)
        return step.wait_signal("second", str, prompt="What then?")
"""


@pytest.fixture
def asked(project: Project) -> Project:
    project.job(ASKS)
    return project


def test_a_quiet_trigger_says_a_question_once_with_what_answers_it(asked: Project) -> None:
    run = ("trigger", "work", "--suspend", "-q", "--idempotency-key", "a")
    first, question, *ways = asked.run(*run, expect=75).err.splitlines()
    assert first.endswith(" of work asks:")
    assert question == "Begin? (first)"
    assert asked.run(*run, expect=75).err == ""
    assert [way.partition(": ")[0] for way in ways] == ["to say yes", "to say no"]
    assert paste(asked, ways[0].partition(": ")[2], asked.root.parent).code == 0
    assert asked.inspect()["status"] == "waiting"


def test_a_quiet_tick_says_what_it_has_brought_up(asked: Project) -> None:
    asked.run("trigger", "work", "--suspend", "-q", expect=75)
    assert asked.run("tick", "-q").err == ""
    asked.run("approve", "@last")
    assert asked.run("tick", "-q").err == "", "it sleeps"
    deadline = time.monotonic() + 60
    while not (said := asked.run("tick", "-q").err):
        assert time.monotonic() < deadline
    _, question, way = said.splitlines()
    assert question == "What then? (second)"
    assert shlex.split(way)[-5:-2] == ["signal", asked.runs()[0]["id"][-8:], "second"]
    assert asked.run("tick", "-q").err == ""
