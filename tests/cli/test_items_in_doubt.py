"""What is said of several steps that wait for a person, and how all of them are decided."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.conftest import Project

PAY = """
    class Input(BaseModel):
        n: int = 3

    begun = []

    def pay(who: str){gives}:
        effect(f"pay {{who}}")
        begun.append(who)
        while len(begun) < TOTAL and not os.path.exists("goes on"):
            time.sleep(0.01)
        if not os.path.exists("goes on"):
            os.kill(os.getpid(), 9)
        return RESULT

    @define_job
    def wages(step: Step, payload: Input) -> int:
        global TOTAL
        TOTAL = payload.n
        return len(step.map("wage", pay, [f"killed {{k}}" for k in range(payload.n)],
            concurrency=payload.n, in_doubt="stop"))
"""


def wages(project: Project, n: int = 3, *, gives: bool = False) -> str:
    """A run that was killed while so many were paid; its id."""
    text = PAY.format(gives=" -> str" if gives else " -> None")
    project.job(text.replace("RESULT", "who" if gives else "None"), "wages")
    project.run("trigger", "wages", "-p", f"n:={n}", expect=-9)
    (project.root / "goes on").touch()
    return str(project.inspect()["id"][-8:])


def suggested(project: Project, said: str, purpose: str) -> list[str]:
    """The words behind `durably` of the command that is said to be for this."""
    (line,) = [line for line in said.splitlines() if line.startswith(purpose)]
    words = shlex.split(line.partition("type: ")[2])
    return words[words.index("resume") :]


def test_of_several_it_is_said_how_many_there_are_and_one_command_calls_them_all(
    project: Project,
) -> None:
    run = wages(project)
    stopped = project.run("resume", "@last", expect=1)
    words = suggested(project, stopped.err, "if none of all 3 that wait for such a decision was")
    assert words == ["resume", run, "--redo", "wage[*]"]
    assert project.run(*words).out == "3\n"
    assert sorted(project.effects) == sorted([f"pay killed {k}" for k in range(3)] * 2)


@pytest.mark.parametrize("gives", [False, True])
def test_one_command_says_that_all_were_done(project: Project, gives: bool) -> None:
    run = wages(project, gives=gives)
    stopped = project.run("resume", "@last", expect=1)
    words = suggested(project, stopped.err, "if all 3 that wait for such a decision were done")
    assert words[:2] == ["resume", run]
    assert words.count("--done") == 3
    assert words.count("--result") == 3 * gives
    assert project.run(*('"a text"' if word == "JSON" else word for word in words)).out == "3\n"
    assert len(project.effects) == 3


def test_a_pattern_that_would_call_a_step_that_has_completed_is_never_offered(
    project: Project,
) -> None:
    wages(project)
    stopped = project.run("resume", "@last", "--done", "wage[killed 1]", expect=1)
    words = suggested(project, stopped.err, "if none of all 2 that wait for such a decision was")
    assert words[2:] == ["--redo", "wage[killed 0]", "--redo", "wage[killed 2]"]
    project.run(*words)
    assert project.effects.count("pay killed 1") == 1


def test_of_one_nothing_is_said_of_others(project: Project) -> None:
    wages(project, 1)
    stopped = project.run("resume", "@last", expect=1)
    assert "if it was done, type: " in stopped.err
    assert "such a decision" not in stopped.err


def test_of_very_many_that_no_pattern_takes_it_is_said_where_they_are(project: Project) -> None:
    run = wages(project, 10)
    stopped = project.run("resume", "@last", "--done", "wage[killed 1]", expect=1)
    assert f"inspect {run} --all" in stopped.err
    assert "to see all 9 that wait for such a decision" in stopped.err


def test_whoever_waits_for_a_run_that_waits_for_a_person_is_not_to_try_again(
    project: Project,
) -> None:
    wages(project)
    waited = json.loads(project.run("wait", "@last", "--json", expect=75).out)
    assert waited["error"]["code"] == "interrupted"
    assert waited["error"]["retryable"] is False
    assert sum("--redo" in command for command in waited["next"]) == 2


def test_one_that_was_only_interrupted_may_be_tried_again(project: Project) -> None:
    project.job(
        """
        @define_job
        def killed(step: Step) -> None:
            step.run("kill", os.kill, os.getpid(), 9)
        """,
        "killed",
    )
    project.run("trigger", "killed", expect=-9)
    waited = json.loads(project.run("wait", "@last", "--json", expect=75).out)
    assert waited["error"]["retryable"] is True
