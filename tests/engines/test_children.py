"""Runs that are a step of another one: they end, wait and are suspended with it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import durably_cli
from tests.conftest import Project

KID = """
    import asyncio
    from durably import Approval, AsyncStep

    class Kid(BaseModel):
        name: str

    @define_job
    def kid(step: Step, payload: Kid) -> str:
        step.run("begin", effect, f"begin {payload.name}")
        answer = step.wait_signal("ok", Approval, prompt=f"Let {payload.name} go on?")
        return step.run("end", effect, f"end {payload.name}")
"""

FORMS = {
    "threads": """
    def one(step: Step, name: str) -> str:
        return step.run_job("kid", kid, Kid(name=name))

    @define_job
    def work(step: Step) -> list:
        return step.for_each("each", one, ["a", "b", "c"])
    """,
    "gathered": """
    @define_job
    async def work(step: AsyncStep) -> list:
        jobs = [step.run_job(f"kid {name}", kid, Kid(name=name)) for name in "abc"]
        return await asyncio.gather(*jobs)
    """,
    "tasks": """
    async def one(step: AsyncStep, name: str) -> str:
        return await step.run_job("kid", kid, Kid(name=name))

    @define_job
    async def work(step: AsyncStep) -> list:
        return await step.for_each("each", one, ["a", "b", "c"])
    """,
    "a job of theirs": """
    def one(step: Step, name: str) -> str:
        return step.run_job("kid", kid, Kid(name=name))

    @define_job
    def all_three(step: Step) -> list:
        return step.for_each("each", one, ["a", "b", "c"])

    @define_job
    async def work(step: AsyncStep) -> list:
        return await step.run_job("all", all_three, None)
    """,
}
each_form = pytest.mark.parametrize("form", FORMS)

BEGUN = ["begin a", "begin b", "begin c"]


def within(is_so: Callable[[], object]) -> None:
    """Return once it is so."""
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it never came to be so"
        time.sleep(0.02)


def statuses(project: Project) -> set[str]:
    return {run["status"] for run in project.runs()}


def of_job(project: Project, job: str) -> list[dict[str, Any]]:
    """Its runs, oldest first."""
    return [project.inspect(run["id"]) for run in project.runs()[::-1] if run["job"] == job]


def all_wait(project: Project) -> bool:
    return sorted(project.effects) == BEGUN and statuses(project) == {"waiting"}


@contextmanager
def before(*journals: Path) -> Iterator[None]:
    """What is done inside to these journals is undone: a process was killed in front of it."""
    were = [journal.read_bytes() for journal in journals]
    yield
    for journal, content in zip(journals, were, strict=True):
        journal.write_bytes(content)


@each_form
def test_all_are_cancelled_with_their_parent_while_a_process_sits_by_them(
    project: Project, form: str
) -> None:
    project.job(KID + FORMS[form])
    with project.start("trigger", "work") as process:
        within(lambda: all_wait(project))
        project.run("cancel", "@last/work", "--reason", "no need")
        assert process.result().code == 3
    assert statuses(project) == {"cancelled"}
    assert all("no need" in run["reason"] for run in of_job(project, "kid"))


@each_form
def test_all_are_cancelled_with_their_parent_that_nobody_holds(project: Project, form: str) -> None:
    project.job(KID + FORMS[form])
    with project.start("trigger", "work") as process:
        within(lambda: all_wait(project))
        assert process.is_killed()
    project.run("cancel", "@last/work")
    assert statuses(project) == {"cancelled"}


def test_in_a_server_no_thread_of_a_cancelled_run_goes_on(project: Project) -> None:
    project.job("""
        class Kid(BaseModel):
            name: str

        def busy(name):
            while True:
                effect(name)
                time.sleep(0.02)

        @define_job
        def kid(step: Step, payload: Kid) -> str:
            return step.run("busy", busy, payload.name)

        def one(step: Step, name: str) -> str:
            return step.run_job("kid", kid, Kid(name=name))

        @define_job
        def work(step: Step) -> list:
            return step.for_each("each", one, ["a", "b", "c"])
    """)
    server = """if True:
        import threading, time
        from durably_cli.errors import Cancelled
        from jobs.work import work, effect
        run = work.trigger()
        assert run.status == "cancelled", run.status
        ends = time.monotonic() + 30
        while threading.active_count() > 1 and time.monotonic() < ends:
            time.sleep(0.02)
        effect(f"{threading.active_count()} left")
    """
    with subprocess.Popen([sys.executable, "-c", server], cwd=project.root, env=project.env) as it:
        within(lambda: {*project.effects} == {"a", "b", "c"})
        project.run("cancel", "@last/work")
        assert it.wait(60) == 0
    assert project.effects[-1] == "1 left"
    assert statuses(project) == {"cancelled"}


@each_form
def test_all_are_suspended_together_and_taken_up_together(project: Project, form: str) -> None:
    project.job(KID + FORMS[form])
    project.run("trigger", "work", "--suspend", expect=75)
    assert all_wait(project)
    outcomes = [run["attempts"][-1]["outcome"] for run in of_job(project, "kid")]
    assert outcomes == ["suspended"] * 3
    first, *others = of_job(project, "kid")
    project.run("approve", first["id"])
    (planned,) = json.loads(project.run("tick", "--dry-run", "--json").out)["runs"]
    assert (planned["job"], planned["why"]) == ("work", "signal")
    project.run("tick")
    assert statuses(project) == {"waiting", "completed"}
    assert len(project.effects) == 4
    for run in others:
        project.run("approve", run["id"])
    project.run("tick")
    assert statuses(project) == {"completed"}
    assert sorted(project.effects) == sorted([*BEGUN, "end a", "end b", "end c"])


def test_a_parent_answers_for_its_only_child_that_asks(project: Project) -> None:
    project.job(KID + FORMS["threads"].replace('"a", "b", "c"', '"a"'))
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("approve", "@last/work")
    project.run("tick")
    assert project.effects == ["begin a", "end a"]


@pytest.mark.parametrize("form", ["threads", "gathered"])
def test_no_child_is_suspended_as_long_as_another_one_is_at_work(
    project: Project, form: str
) -> None:
    slow = KID.replace(
        "        answer =",
        """        if payload.name == "b":
            step.run("slow", lambda: time.sleep(1.5) or effect("slow"))
        answer =""",
    )
    project.job(slow + FORMS[form])
    project.run("trigger", "work", "--suspend", expect=75)
    assert sorted(project.effects) == [*BEGUN, "slow"]
    for run in of_job(project, "kid"):
        assert [each["status"] for each in run["checkpoints"]][-1] == "waiting"


@pytest.mark.parametrize("form", ["threads", "gathered"])
def test_the_time_limit_of_a_parent_ends_its_children_and_a_resume_goes_on(
    project: Project, form: str, tmp_path: Path
) -> None:
    project.env["THERE"] = str(tmp_path / "there")
    project.job(
        """
    import asyncio
    from durably import AsyncStep

    class Kid(BaseModel):
        name: str

    def look(name):
        effect(f"look {name}")
        while not os.path.exists(os.environ["THERE"]):
            time.sleep(0.02)
        return name

    @define_job
    def kid(step: Step, payload: Kid) -> str:
        step.run("begin", effect, f"begin {payload.name}")
        return step.run("look", look, payload.name)
    """
        + FORMS[form]
    )
    over = project.run("trigger", "work", "--timeout", "1s", expect=124)
    assert "time limit" in over.err
    for run in of_job(project, "kid"):
        assert run["attempts"][-1]["outcome"] == "time limit"
    (tmp_path / "there").touch()
    assert json.loads(project.run("resume", "@last/work").out) == ["a", "b", "c"]
    assert sorted(project.effects[:3] + project.effects[3:])[:3] == BEGUN


@pytest.mark.parametrize("form", ["threads", "gathered"])
def test_the_time_that_children_wait_is_none_of_their_parents_limit(
    project: Project, form: str
) -> None:
    naps = KID.replace(
        'answer = step.wait_signal("ok", Approval, prompt=f"Let {payload.name} go on?")',
        'step.sleep("nap", 5)',
    )
    project.job(naps + FORMS[form])
    project.run("trigger", "work", "--timeout", "4s")
    assert len(project.effects) == 6


def test_what_another_thread_stops_at_fails_no_child(project: Project) -> None:
    project.job(
        KID
        + """
    def one(step: Step, name: str) -> str:
        if name == "a":
            return step.run_job("kid", kid, Kid(name=name))
        time.sleep(1)  # and the child waits by then
        step.run("pay", lambda: effect("pay") and time.sleep(60), in_doubt="stop")

    @define_job
    def work(step: Step) -> list:
        return step.for_each("each", one, ["a", "b"])
    """
    )
    with project.start("trigger", "work") as process:
        within(lambda: sorted(project.effects) == ["begin a", "pay"])
        within(lambda: {run["status"] for run in of_job(project, "kid")} == {"waiting"})
        assert process.is_killed()
    project.run("resume", "@last/work", expect=1)
    (kid,) = of_job(project, "kid")
    assert kid["status"] == "waiting"
    assert sorted(project.effects) == ["begin a", "pay"]


ANOTHER = """
    @define_job
    def other(step: Step, payload: Kid) -> str:
        return step.run("other", effect, f"other {payload.name}")
"""

ALONE = """
    @define_job
    def work(step: Step) -> str:
        return step.run_job("kid", {job}, Kid(name="{name}"))
"""


@pytest.mark.parametrize("has_ended", [False, True])
def test_another_job_behind_the_name_is_no_child_of_before(
    project: Project, *, has_ended: bool
) -> None:
    project.job(KID + ALONE.format(job="kid", name="a"))
    project.run("trigger", "work", "--suspend", expect=75)
    if has_ended:
        with before(project.journal("@last/work")):
            project.run("approve", "@last/work")
            project.run("resume", "@last/work")
    effects = project.effects
    project.job(KID + ANOTHER + ALONE.format(job="other", name="a"))
    refused = project.run("resume", "@last/work", expect=1)
    assert "of job kid" in refused.err
    assert "--redo 'kid'" in refused.err
    assert project.effects == effects
    project.run("resume", "@last/work", "--redo", "kid")
    assert project.effects == [*effects, "other a"]
    assert [run["status"] for run in of_job(project, "other")] == ["completed"]
    ended = "completed" if has_ended else "cancelled"
    assert [run["status"] for run in of_job(project, "kid")] == [ended]


def test_another_input_of_a_child_is_said_and_the_run_goes_on_with_its_own(
    project: Project,
) -> None:
    project.job(KID + ALONE.format(job="kid", name="a"))
    project.run("trigger", "work", "--suspend", expect=75)
    same = project.run("resume", "@last/work", "--suspend", expect=75)
    assert "goes on with the input" not in same.err
    project.job(KID + ALONE.format(job="kid", name="z"))
    project.run("approve", "@last/work")
    went_on = project.run("resume", "@last/work")
    assert "goes on with the input" in went_on.err
    assert went_on.out == '"end a"\n'


def test_a_child_that_failed_is_made_anew_by_a_redo_and_resumed_without(project: Project) -> None:
    project.job(
        """
    class Kid(BaseModel):
        name: str

    @define_job
    def kid(step: Step, payload: Kid) -> str:
        step.run("one", effect, "one")
        return step.run("two", lambda: open("there").read())
    """
        + ALONE.format(job="kid", name="a")
    )
    project.run("trigger", "work", expect=1)
    project.run("resume", "@last/work", expect=1)
    assert project.effects == ["one"]
    (project.root / "there").write_text("found")
    assert project.run("resume", "@last/work", "--redo", "kid").out == '"found"\n'
    assert project.effects == ["one", "one"]
    assert {run["status"] for run in of_job(project, "kid")} == {"failed", "completed"}


def test_a_child_that_its_parent_still_needs_is_not_deleted(project: Project) -> None:
    project.job(KID + ALONE.format(job="kid", name="a"))
    project.run("trigger", "work", "--suspend", expect=75)
    with before(project.journal("@last/work")):
        project.run("approve", "@last/work")
        project.run("resume", "@last/work")
    (kid,) = of_job(project, "kid")
    refused = project.run("delete", kid["id"], expect=2)
    assert of_job(project, "work")[0]["id"][-8:] in refused.err
    project.run("prune", "--older-than", "0s", "--yes")
    assert of_job(project, "kid")
    assert project.run("resume", "@last/work").out == '"end a"\n'
    assert project.effects == ["begin a", "end a"]
    project.run("delete", kid["id"])


@pytest.mark.parametrize("again", ["cancel", "tick", "delete"])
def test_killed_behind_the_end_of_a_parent_its_children_end_all_the_same(
    project: Project, again: str
) -> None:
    project.job(KID + FORMS["threads"])
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("tick")
    assert statuses(project) == {"waiting"}
    with before(*(Path(run["journal"]) for run in of_job(project, "kid"))):
        project.run("cancel", "@last/work")
    assert {run["status"] for run in of_job(project, "kid")} == {"waiting"}
    if again == "tick":
        assert project.run("tick", "--dry-run").out == ""
        assert {run["status"] for run in of_job(project, "kid")} == {"waiting"}
    assert project.run(again, *(["@last/work"] if again != "tick" else [])).code == 0
    assert {run["status"] for run in of_job(project, "kid")} == {"cancelled"}


def test_a_parent_that_is_deleted_before_it_has_ended_leaves_no_child_that_waits(
    project: Project,
) -> None:
    project.job(KID + FORMS["threads"])
    with project.start("trigger", "work") as process:
        within(lambda: all_wait(project))
        assert process.is_killed()
    project.run("delete", "@last/work", "--status", "waiting")
    assert statuses(project) == {"cancelled"}


def test_a_child_that_its_handler_waits_for_no_more_is_left_and_ends_with_the_parent(
    project: Project,
) -> None:
    project.job(
        KID
        + """
    @define_job
    async def work(step: AsyncStep) -> str:
        try:
            async with asyncio.timeout(1):
                return await step.run_job("kid", kid, Kid(name="a"))
        except TimeoutError:
            return "too late"
    """
    )
    assert project.run("trigger", "work").out == '"too late"\n'
    assert {run["status"] for run in of_job(project, "kid")} == {"waiting"}
    project.run("tick")
    (kid,) = of_job(project, "kid")
    assert kid["status"] == "cancelled"
    assert "is completed" in kid["reason"]


def test_a_child_at_work_elsewhere_hides_no_other_one_that_is_due(project: Project) -> None:
    works_on = KID.replace(
        'return step.run("end", effect, f"end {payload.name}")',
        """step.run("end", effect, f"end {payload.name}")
        while payload.name == "a" and not os.path.exists("there"):
            time.sleep(0.02)
        return payload.name""",
    )
    project.job(works_on + FORMS["threads"])
    project.run("trigger", "work", "--suspend", expect=75)
    kids = {run["id"]: run["input"]["name"] for run in of_job(project, "kid")}
    first, other, _ = (wait["run"] for wait in project.inspect("@last/work")["waits"])
    busy = kids[first]
    project.job(works_on.replace('== "a"', f'== "{busy}"') + FORMS["threads"])
    project.run("approve", first)
    with project.start("resume", first) as process:
        within(lambda: f"end {busy}" in project.effects)
        assert project.run("tick", "--dry-run").out == ""
        project.run("approve", other)
        (planned,) = json.loads(project.run("tick", "--dry-run", "--json").out)["runs"]
        assert (planned["job"], planned["why"]) == ("work", "signal")
        (project.root / "there").touch()
        assert process.result().code == 0


def test_a_wait_that_its_handler_gave_up_is_begun_again_by_who_asks_for_it_again(
    project: Project,
) -> None:
    project.job("""
        import asyncio, signal
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> int:
            try:
                async with asyncio.timeout(None if os.path.exists("killed") else 0.3):
                    return await step.wait_signal("go", int)
            except TimeoutError:
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return 0
    """)
    project.run("trigger", "work", expect=-9)
    project.run("resume", "@last", "--suspend", expect=75)
    assert statuses(project) == {"waiting"}
    project.run("signal", "@last", "go", "-i", "2")
    project.run("tick")
    assert statuses(project) == {"completed"}


@pytest.mark.parametrize(
    ("job", "circle", "step"),
    [
        ("itself", "itself runs itself again", "again"),
        ("head", "head runs ping runs pong runs ping again", "pong"),
        ("looped", "looped runs looped again", "again"),
    ],
)
def test_a_job_that_runs_itself_without_end_is_refused_in_a_sentence(
    project: Project, job: str, circle: str, step: str
) -> None:
    project.job(ENDLESS)
    failed = project.run("trigger", job, expect=1)
    (said,) = [line for line in failed.err.splitlines() if "StepMisused" in line]
    assert f"StepMisused: step '{step}': no more than 32 runs may stand below each other" in said
    assert f"and here {circle}: let what runs itself come to an end sooner" in said
    assert "RunFailed" not in failed.err
    assert len(project.runs()) == 32
    again = project.run("resume", "@last", expect=1)
    assert said in again.err
    assert len(project.runs()) == 32


def test_a_job_that_runs_itself_to_an_end_may_be_32_deep(project: Project) -> None:
    project.job(ENDLESS)
    assert project.run("trigger", "down", "-i", '{"more": 31}').out == "31\n"
    memory = "from jobs.work import Down, down; from durably import Step; "
    here: Any = {"cwd": project.root, "env": project.env, "capture_output": True, "text": True}
    script = [sys.executable, "-c", memory + "print(down(Step(), Down(more=32)))"]
    done = subprocess.run(script, **here)
    assert done.stdout == "32\n", done.stderr
    script[-1] = script[-1].replace("more=32", "more=33")
    done = subprocess.run(script, **here)
    assert "StepMisused: step 'down': no more than 32 runs" in done.stderr
    assert "and here down runs down again: let what" in done.stderr


DEEP = """
    class Down(BaseModel):
        more: int

    @define_job
    def down(step: Step, payload: Down) -> int:
        step.run("before", effect, f"before {payload.more}")
        found = 0
        if payload.more:
            found = 1 + step.run_job("down", down, Down(more=payload.more - 1))
        asked = step.wait_signal("ask", int, default=0, timeout="3d") if payload.more == 3 else 0
        step.sleep("nap", 1.5 if payload.more in (0, 5) else 0)
        step.run("after", effect, f"after {payload.more}")
        return found + asked
"""


def test_a_chain_of_six_is_suspended_and_taken_up_by_ticks(project: Project) -> None:
    project.job(DEEP)
    project.run("trigger", "down", "-i", '{"more": 5}', "--suspend", expect=75)
    (head,) = (run["id"] for run in project.runs() if not run["parent"])
    assert len(project.runs()) == 6
    assert statuses(project) == {"waiting"}

    def ticked(status: str) -> Callable[[], bool]:
        def is_so() -> bool:
            rows = project.run("tick").out.splitlines()
            assert {row.split("\t")[0] for row in rows} <= {head}, "only the head is taken up"
            return bool(rows) and rows[0].split("\t")[3] == status

        return is_so

    within(ticked("waiting"))  # the lowest have ended, and the third asks
    ended = [run["status"] for run in project.runs()]
    assert sorted(ended) == ["completed"] * 3 + ["waiting"] * 3
    assert project.run("tick").out == ""
    project.run("signal", head, "ask", "-i", "10")
    within(ticked("waiting"))  # the head itself sleeps
    within(ticked("completed"))
    assert statuses(project) == {"completed"}
    assert project.run("inspect", head, "--json").out.count('"output":15') == 1
    down = [f"before {more}" for more in range(5, -1, -1)]
    assert project.effects == [*down, *(f"after {more}" for more in range(6))]


ENDLESS = """
    from durably import AsyncStep

    @define_job
    def itself(step: Step) -> None:
        step.run_job("again", itself, None)

    @define_job
    def head(step: Step) -> None:
        step.run_job("ping", ping, None)

    @define_job
    def ping(step: Step) -> None:
        step.run_job("pong", pong, None)

    @define_job
    def pong(step: Step) -> None:
        step.run_job("ping", ping, None)

    @define_job
    async def looped(step: AsyncStep) -> None:
        await step.run_job("again", looped, None)

    class Down(BaseModel):
        more: int

    @define_job
    def down(step: Step, payload: Down) -> int:
        if not payload.more:
            return 0
        return 1 + step.run_job("down", down, Down(more=payload.more - 1))
"""


COUNTED = """
    @define_job
    def kid(step: Step) -> int:
        return step.wait_signal("count", int, timeout="3d", default=0)

    @define_job
    def middle(step: Step) -> int:
        return step.run_job("kid", kid, None)

    @define_job
    def work(step: Step) -> list:
        found = step.run_job("middle", middle, None)
        return [found, step.wait_signal("count", int), step.wait_signal("then", int)]
"""


def sent_to(project: Project, *args: str) -> str:
    """The job of the run that `durably signal *args` has sent something."""
    sent = json.loads(project.run("signal", "@last/work", *args, "--json").out)["signal"]
    assert not sent["early"] or "--early" in args
    return next(str(run["job"]) for run in project.runs() if run["id"] == sent["run"])


def test_a_signal_for_the_wait_of_a_grandchild_reaches_it(project: Project) -> None:
    project.job(COUNTED)
    project.run("trigger", "work", "--suspend", expect=75)
    assert (
        "takes another value" in project.run("signal", "@last", "count", "-i", "{}", expect=65).err
    )
    near = project.run("signal", "@last", "coun", "-i", "1", expect=4)
    assert "but for 'count'" in near.err
    assert sent_to(project, "count", "-i", "2", "--early") == "work"
    assert sent_to(project, "count", "-i", "3") == "kid"
    project.run("signal", "@last", "count", "-i", "4", expect=5)
    project.run("resume", "@last", "--suspend", expect=75)
    assert sent_to(project, "count", "-i", "2") == "work", "it has received that itself by now"
    project.run("signal", "@last", "count", "-i", "3", expect=5)
    project.run("signal", "@last", "then", "-i", "5")
    assert json.loads(project.run("resume", "@last").out) == [3, 2, 5]


def test_what_a_child_has_received_is_not_taken_as_early_for_its_parent(project: Project) -> None:
    project.job(COUNTED.replace('step.wait_signal("count", int), ', ""))
    project.run("trigger", "work", "--suspend", expect=75)
    project.run("signal", "@last", "count", "-i", "3")
    project.run("resume", "@last", "--suspend", expect=75)
    assert sent_to(project, "count", "-i", "3") == "kid"
    project.run("signal", "@last", "count", "-i", "4", expect=5)


def test_python_sends_a_child_its_signal_by_its_parent(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_DATA_DIR", str(project.data))
    monkeypatch.chdir(project.root)
    project.job(COUNTED)
    project.run("trigger", "work", "--suspend", expect=75)
    durably_cli.signal("@last/work", "count", 3)
    project.run("resume", "@last", "--suspend", expect=75)
    statuses = sorted(run["status"] for run in project.runs())  # of ids made in one millisecond
    assert statuses == ["completed", "completed", "waiting"]


def test_a_signal_that_several_children_wait_for_is_sent_to_none(project: Project) -> None:
    project.job(KID + FORMS["threads"])
    project.run("trigger", "work", "--suspend", expect=75)
    refused = project.run("signal", "@last/work", "ok", "-i", '{"approved": true}', expect=2)
    assert "3 runs below run" in refused.err
    for kid in project.runs("--job", "kid"):
        assert f"signal {kid['id'][-8:]} ok -p approved:=true" in refused.err


def test_the_words_for_the_newest_run_name_no_step_of_another_one(project: Project) -> None:
    project.job(
        """
        @define_job
        def part(step: Step) -> int:
            return step.run("hurts", lambda: 1 // (step.attempt - 1))

        @define_job
        def whole(step: Step) -> int:
            return step.run_job("part", part, None)
        """
    )
    project.run("trigger", "whole", expect=1)
    assert project.inspect("@last")["job"] == "whole"
    assert project.inspect("@failed")["job"] == "whole"
    assert project.inspect("@last/part")["job"] == "part"
    assert project.run("resume", "@failed").out == "1\n"


def test_what_is_no_job_is_no_child(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> int:
            return step.run_job("kid", "kid", None)
    """)
    assert "step 'kid': 'kid' is no job" in project.run("trigger", "work", expect=1).err
