"""What is shown of waits: of many at once, of children, of those with an answer."""

from __future__ import annotations

import json
import shlex
import signal
import time

import pytest

from tests.conftest import Project, Started

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
    assert said.count("to answer, with a value of yours, type: ") == 3
    listed = asking.run("list").out
    assert (listed.count(" ok?"), "; 6 more" in listed) == (2 * 3, True)
    assert asking.run("inspect", "@last").out.count("\nwait\t") == 9
    document = json.loads(asking.run("inspect", "@last", "--json").out)
    answers = [each for each in document["next"] if " signal " in each]
    assert (len(document["run"]["waits"]), len(answers)) == (9, 9)


def test_the_command_that_is_shown_of_a_question_in_a_scope_answers_it(asking: Project) -> None:
    said = asking.run("trigger", "work", "--suspend", expect=75).err.splitlines()
    words = shlex.split(next(line for line in said if "].ok' -i" in line))
    name = words[words.index("signal") + 2]
    asking.run(*words[words.index("signal") :])
    waits = json.loads(asking.run("resume", "@last", "--suspend", "--json", expect=75).out)["run"][
        "waits"
    ]
    assert len(waits) == 8
    assert name not in {each["step"] for each in waits}


def test_a_map_whose_items_wait_waits(asking: Project) -> None:
    steps = asking.inspect()["checkpoints"]
    assert {each["status"] for each in steps} == {"waiting"}
    assert "cut short" not in asking.run("inspect", "@last").out
    run = asking.runs()[0]["id"]
    for n in range(9):
        asking.run("signal", run, f"each[{n}].ok", "-i", '"yes"')
    assert asking.run("resume", run).out == "9\n"
    assert {each["status"] for each in asking.inspect()["checkpoints"]} == {"completed"}


FAMILY = """
    from durably import Approval

    @define_job
    def kid(step: Step) -> str:
        answer = step.wait_signal("ok", Approval, prompt="Apply the plan?", timeout="1h")
        return f"{answer.approved} by {answer.by}"

    @define_job
    def work(step: Step) -> str:
        return step.run_job("plan", kid, None)

    @define_job
    def parent(step: Step) -> str:
        return step.run_job("region", wait_for_region, None)

    @define_job
    def wait_for_region(step: Step) -> str:
        class Choice(BaseModel):
            region: str
            sizes: list[int]
            where: str = "here"

        return step.wait_signal("choice", Choice, timeout="1s").region
"""

QUESTION = "Apply the plan? (ok, until "


@pytest.fixture
def family(project: Project) -> Project:
    project.job(FAMILY)
    project.run("trigger", "work", "--suspend", expect=75)
    return project


def wait_for_line(process: Started, text: str) -> str:
    assert process.stderr is not None
    return next(line for line in process.stderr if text in line)


def test_a_run_that_waits_for_its_child_says_what_the_child_asks(family: Project) -> None:
    child = next(run["id"] for run in family.runs() if run["job"] == "kid")
    line = f"plan (run {child[-8:]}): {QUESTION}"
    assert line in family.run("list").out
    assert line in family.run("inspect", "@last").out
    assert line in family.run("resume", "@last", "--suspend", expect=75).err


@pytest.mark.parametrize("run", ["@last", "kid"])
def test_a_process_that_sits_by_a_wait_of_before_says_what_answers_it(
    family: Project, run: str
) -> None:
    if run == "kid":
        family.run("trigger", "kid", "--suspend", expect=75)
    with family.start("resume", "@last") as sitting:
        assert QUESTION in wait_for_line(sitting, "Apply the plan?")
        words = shlex.split(wait_for_line(sitting, "durably approve"))
        family.run(*words[words.index("approve") :])
        out, _ = sitting.communicate(timeout=60)
    assert (sitting.returncode, out.startswith('"True by ')) == (0, True)


def test_a_question_that_has_its_answer_is_open_no_more(family: Project) -> None:
    family.run("signal", "@last", "ok", "-i", '{"approved": true}')
    for command in ("list", "inspect @last", "wait @last --timeout 0s"):
        said = family.run(*command.split(), expect=None)
        assert "Apply the plan? (ok, answered by " in said.out + said.err
    [wait] = json.loads(family.run("inspect", child_of(family), "--json").out)["run"]["waits"]
    assert wait["answered_by"]
    assert not any(" approve " in each for each in next_of(family)), next_of(family)
    assert "was sent before" in family.run("approve", "@last").err
    assert family.run("deny", "@last", expect=5)
    out = family.run("resume", "@last").out
    assert out == f'"True by {wait["answered_by"]}"\n', "who sends a yes is who says it"


def child_of(project: Project) -> str:
    return next(run["id"] for run in project.runs() if run["job"] == "kid")


def next_of(project: Project) -> list[str]:
    found: list[str] = json.loads(project.run("inspect", "@last", "--json").out)["next"]
    return found


def test_the_command_that_answers_has_the_fields_of_the_type_in_it(family: Project) -> None:
    said = family.run("trigger", "wait-for-region", "--suspend", expect=75).err
    shown = next(line for line in said.splitlines() if " signal " in line)
    assert shown.endswith("choice -p region=REGION -p 'sizes:=[]'")
    refused = family.run("signal", "@last", "choice", "-i", "true", expect=65).err
    assert "it takes Choice, of region: string, sizes: list of integer, where: string" in refused
    assert shown[shown.index("signal") :] in refused
    words = shlex.split(shown)
    family.run(*words[words.index("signal") :])
    assert family.run("resume", "@last").out == '"REGION"\n'


def test_what_nobody_has_answered_in_time_is_waited_for_once_more(family: Project) -> None:
    for job in ("wait-for-region", "parent"):
        failed = family.run("trigger", job, expect=1).err
        shown = next(line for line in failed.splitlines() if "to wait for it once more" in line)
        run = next(run["id"] for run in family.runs() if run["job"] == job)
        assert shown.endswith(f"durably resume {run[-8:]}")


def test_a_child_that_was_cancelled_is_run_once_more_by_what_is_shown(family: Project) -> None:
    family.run("cancel", child_of(family))
    failed = family.run("resume", "@last", expect=1).err
    shown = next(line for line in failed.splitlines() if "to run that job once more" in line)
    words = shlex.split(shown)
    said = family.run(*words[words.index("resume") :], "--suspend", expect=75).err
    assert QUESTION in said


def test_a_run_that_a_person_stopped_in_a_wait_says_that_no_tick_goes_on(family: Project) -> None:
    with family.start("resume", "@last") as sitting:
        wait_for_line(sitting, "durably deny")
        sitting.send_signal(signal.SIGINT)
        sitting.communicate(timeout=60)
    stopped = "stopped (SIGINT): it takes a resume"
    listed = {row.split("\t")[1]: row for row in family.run("list").out.splitlines()}
    assert stopped in listed["work"]
    assert stopped not in listed["kid"], "which goes on with its parent"
    assert family.run("tick", "--dry-run").out == ""
    family.run("resume", "@last", "--suspend", expect=75)
    assert stopped not in family.run("list").out


def test_a_run_that_is_suspended_is_waited_for_until_it_has_ended(family: Project) -> None:
    late = family.run("wait", "@last", "--timeout", "0.1s", expect=124).err
    assert QUESTION in late
    with family.start("wait", "@last") as waiting:
        assert "which no process is at: plan (run " in wait_for_line(waiting, "waiting for run")
        words = shlex.split(wait_for_line(waiting, "to say no").partition("type: ")[2])
        family.run(*words[words.index("deny") :])
        assert waiting.poll() is None
        family.run("tick")
        out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, out.startswith('"False by ')) == (0, True)


def test_a_question_whose_deadline_is_over_is_offered_no_answer(family: Project) -> None:
    family.run("trigger", "wait-for-region", "--suspend", expect=75)
    time.sleep(1.2)
    assert (
        "its deadline is over" not in family.run("resume", "@last/work", "--suspend", expect=75).err
    )
    assert "choice waits for a signal, its deadline is over" in family.run("list").out
    found = json.loads(family.run("inspect", "@last/wait-for-region", "--json").out)
    assert not any(" signal " in each for each in found["next"]), found["next"]
    assert " resume " in found["next"][0]
    late = family.run("wait", "@last/wait-for-region", "--timeout", "0", expect=124).err
    assert (" signal " in late, " resume " in late) == (False, True)
    family.run("signal", "@last/wait-for-region", "choice", "-i", "{}", expect=5)
