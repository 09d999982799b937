"""What is shown of many waits at once."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.conftest import Project

QUESTIONS = """
    @define_job
    def work(step: Step) -> int:
        def ask(step: Step, n: int) -> str:
            return step.wait_signal("ok", str, prompt=f"Is {n} ok?")

        step.for_each("each", ask, range(9), concurrency=9)
        return 9
"""


@pytest.fixture
def asking(project: Project) -> Project:
    project.job(QUESTIONS)
    project.run("trigger", "work", "--suspend", expect=75)
    return project


def test_of_many_questions_people_are_shown_a_few_and_programs_all(asking: Project) -> None:
    said = asking.run("trigger", "work", "--suspend", expect=75).err
    assert "\n6 more\n" in said
    assert said.count("to answer, type: ") == 3
    listed = asking.run("list").out
    assert (listed.count(" ok?"), "; 6 more" in listed) == (2 * 3, True)
    assert asking.run("inspect", "@last").out.count("\nwait\t") == 9
    document = json.loads(asking.run("inspect", "@last", "--json").out)
    answers = [each for each in document["next"] if " signal " in each]
    assert (len(document["run"]["waits"]), len(answers)) == (9, 9)


def test_the_command_that_is_shown_of_a_question_in_a_scope_answers_it(asking: Project) -> None:
    said = asking.run("trigger", "work", "--suspend", expect=75).err.splitlines()
    words = shlex.split(next(line for line in said if "each[2].ok' -i" in line))
    asking.run(*words[words.index("signal") :])
    waits = json.loads(asking.run("resume", "@last", "--suspend", "--json", expect=75).out)["run"][
        "waits"
    ]
    assert len(waits) == 8
    assert "each[2].ok" not in {each["step"] for each in waits}


def test_a_map_whose_items_wait_waits(asking: Project) -> None:
    steps = asking.inspect()["checkpoints"]
    assert {each["status"] for each in steps} == {"waiting"}
    assert "cut short" not in asking.run("inspect", "@last").out
    run = asking.runs()[0]["id"]
    for n in range(9):
        asking.run("signal", run, f"each[{n}].ok", "-i", '"yes"')
    assert asking.run("resume", run).out == "9\n"
    assert {each["status"] for each in asking.inspect()["checkpoints"]} == {"completed"}
