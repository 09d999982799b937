"""What commands say of a run with a map: its items are counted, each once, and it is not."""

from __future__ import annotations

import json
import re
from textwrap import dedent
from typing import Any

import pytest

from tests.conftest import Project, Result

PICTURES = """
    import threading

    together = threading.Barrier(5)

    class Input(BaseModel):
        on_error: str = "continue"
        then_killed: bool = False

    def make(name: str) -> int:
        effect(f"make {name}")
        if os.path.exists("side by side"):
            together.wait(60)
            time.sleep(0.1)
        if open(f"pictures/{name}").read() == "broken":
            raise OSError("image file is truncated")
        return len(name)

    @define_job
    def pictures(step: Step, payload: Input) -> int:
        found = step.map("make", make, sorted(os.listdir("pictures")), on_error=payload.on_error)
        if payload.then_killed and os.path.exists("killed here"):
            os.kill(os.getpid(), 9)
        return len(found)
"""


def pictures(project: Project, *broken: str, whole: str = "abcd") -> None:
    project.job(PICTURES)
    (project.root / "pictures").mkdir()
    for name in (*whole, *broken):
        put(project, name, "broken" if name in broken else "whole")


def put(project: Project, name: str, what: str = "whole") -> None:
    (project.root / "pictures" / name).write_text(what)


def listed(project: Project) -> dict[str, Any]:
    """The latest run, as `list` has it."""
    run: dict[str, Any] = json.loads(project.run("list", "--json").out)["runs"][0]
    return run


def counts(project: Project) -> tuple[int, int]:
    """How many steps have completed and failed, which list and inspect say alike."""
    run, shown = listed(project), project.inspect()
    assert (run["steps"], run["steps_failed"]) == (shown["steps"], shown["steps_failed"])
    facts = dict(line.split("\t")[:2] for line in project.run("inspect", "@last").out.splitlines())
    assert facts["steps"] == str(run["steps"])
    return run["steps"], run["steps_failed"]


def plan(project: Project, *command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run(*command, "--dry-run", "--json").out)["plan"]
    return found


def becomes(project: Project, *command: str) -> dict[str, str]:
    return {step["name"]: step["plan"] for step in plan(project, *command)["steps"]}


def said(result: Result) -> str:
    """Its last line, without times, and ids."""
    return re.sub(r"[\d.]+ m?s\b", "TIME", result.err.splitlines()[-1].partition(": ")[2])


def test_time_in_which_items_ran_side_by_side_is_saved_once(project: Project) -> None:
    pictures(project, "zoo")
    (project.root / "side by side").touch()
    project.run("trigger", "pictures", expect=1)
    items = [each for each in project.inspect()["checkpoints"] if each["status"] == "completed"]
    apart = sum(each["ms"] for each in items if each["name"] != "make")

    planned = plan(project, "resume", "@last")["saved_ms"]
    assert 100 <= planned <= apart - 3 * 95  # each of the four slept beside the three others
    (project.root / "side by side").unlink()
    put(project, "zoo")
    resumed = project.run("resume", "@last")
    milliseconds = saved(resumed)
    assert 95 <= milliseconds <= apart - 3 * 95
    project.run("inspect", "@last", "--svg", "run.svg")
    drawn = (project.root / "run.svg").read_text()
    assert f"saved {milliseconds / 1000:.1f} s" in drawn or f"saved {milliseconds:.0f} ms" in drawn


def saved(result: Result) -> float:
    """How many milliseconds a resume says that it has saved."""
    found = re.search(r"which saved ([\d.]+) (m?s)\b", result.err)
    assert found is not None, result
    return float(found[1]) * (1000 if found[2] == "s" else 1)


def test_what_is_redone_of_items_side_by_side_saves_what_the_others_took(project: Project) -> None:
    pictures(project, "zoo")
    (project.root / "side by side").touch()
    project.run("trigger", "pictures", expect=1)
    (project.root / "side by side").unlink()
    put(project, "zoo")
    longest = max(
        each["ms"]
        for each in project.inspect()["checkpoints"]
        if each["name"] in ("make[c]", "make[d]")
    )
    resumed = project.run("resume", "@last", "--redo", "make[a]", "--redo", "make[b]")
    assert saved(resumed) >= max(95, longest - 50)  # which is said in tenths of a second


def test_a_map_is_counted_nowhere_and_its_items_are_everywhere(project: Project) -> None:
    pictures(project, "zoo")
    failed = project.run("trigger", "pictures", expect=1)
    assert counts(project) == (4, 1)
    assert plan(project, "resume", "@last")["replayed"] == 4
    planned = project.run("resume", "@last", "--dry-run").err
    assert "4 steps replayed" in planned
    assert "1 step executed" in planned
    put(project, "zoo")
    mended = project.run("resume", "@last")
    assert said(mended) == "1 step run, 4 steps replayed, which saved TIME"
    assert counts(project) == (5, 0)
    fork = project.run("fork", "@last")
    assert "with 5 results of it" in fork.err
    assert said(fork) == "0 steps run, 5 steps replayed, which saved TIME"
    assert counts(project) == (5, 0)
    put(project, "new")
    more = project.run("fork", "@last", "--redo", "make[a]", "--only")
    assert said(more) == "2 steps run, 4 steps replayed, which saved TIME"
    assert counts(project) == (6, 0)
    assert failed.code == 1


def test_steps_are_counted_at_so_many_items_whatever_maps_end_between(project: Project) -> None:
    project.job(
        """
        def user(step: Step, n: int) -> None:
            step.map("files", str, [f"{n}-{k}" for k in range(10)])

        @define_job
        def users(step: Step) -> None:
            step.for_each("users", user, range(5), concurrency=1)
        """,
        "users",
    )
    done = project.run("trigger", "users")
    lines = done.err.splitlines()
    completed = [line for line in lines if line.startswith("step users[") and "files[" in line]
    assert len(completed) == 20
    assert lines.count("from here on steps are counted: at 50, 100, 200, 500, ...") == 1
    assert lines.count("50 steps completed") == 1
    assert said(done) == "50 steps run"


def test_a_map_without_a_step_to_execute_runs_none(project: Project) -> None:
    pictures(project, "zoo")
    project.run("trigger", "pictures", expect=1)
    (project.root / "pictures" / "zoo").unlink()
    assert said(project.run("resume", "@last")) == "0 steps run, 4 steps replayed, which saved TIME"


@pytest.mark.parametrize("on_error", ["continue", "collect"])
def test_a_failure_of_an_item_that_is_gone_counts_no_more(project: Project, on_error: str) -> None:
    pictures(project, "zoo", "yak")
    collects = on_error == "collect"
    if collects:
        (project.root / "killed here").touch()
    given = ("-p", f"on_error={on_error}", "-p", f"then_killed:={str(collects).lower()}")
    project.run("trigger", "pictures", *given, expect=-9 if collects else 1)
    assert counts(project) == (4, 2)
    (project.root / "killed here").unlink(missing_ok=True)
    (project.root / "pictures" / "zoo").unlink()
    if not collects:
        put(project, "yak")
    project.run("resume", "@last")
    there = 1 if collects else 0
    assert counts(project) == (5 - there, there)
    shown = {each["name"]: each["status"] for each in project.inspect()["checkpoints"]}
    assert shown["make[zoo]"] == "failed"  # as it was, when it was tried
    assert "make[zoo]" not in becomes(project, "fork", "@last")
    fork = project.run("fork", "@last")
    assert "zoo" not in fork.err
    assert fork.err.count("will be replayed") == there
    assert counts(project) == (5 - there, there)


def test_a_failure_that_a_mended_job_asks_for_no_more_counts_no_more(project: Project) -> None:
    text = """
        @define_job
        def order(step: Step) -> None:
            step.run("price", int)
            step.run("coupon", lambda: 1 / 0)
    """
    project.job(text, "order")
    project.run("trigger", "order", expect=1)
    assert counts(project) == (1, 1)
    project.job(text.replace('step.run("coupon", lambda: 1 / 0)', ""), "order")
    project.run("resume", "@last")
    assert counts(project) == (1, 0)
    assert "coupon" not in becomes(project, "fork", "@last", "--redo-failed")


def test_of_a_map_that_did_not_come_up_again_its_items_are_counted(project: Project) -> None:
    pictures(project, "zoo")
    project.run("trigger", "pictures", expect=1)
    put(project, "zoo")
    project.run("resume", "@last")
    project.job(PICTURES.replace('step.map("make"', 'step.map("other"'), "work")
    fork = project.run("fork", "@last")
    assert "5 steps run" in fork.err
    assert "5 journalled steps did not come up again" in fork.err


def test_a_failure_that_a_handler_lives_on_after_counts_in_every_attempt(project: Project) -> None:
    project.job(
        """
        def fails() -> None:
            raise OSError("no")

        @define_job
        def survives(step: Step) -> None:
            try:
                step.run("primary", fails)
            except OSError:
                step.run("fallback", int)
            if not os.path.exists("mended"):
                os.kill(os.getpid(), 9)
        """,
        "survives",
    )
    project.run("trigger", "survives", expect=-9)
    assert counts(project) == (1, 1)
    (project.root / "mended").touch()
    project.run("resume", "@last")
    assert counts(project) == (1, 1)
    assert "will be replayed: primary" in project.run("fork", "@last").err


def test_the_plan_of_a_map_that_had_completed_says_that_it_goes_on(project: Project) -> None:
    pictures(project)
    project.run("trigger", "pictures")
    assert becomes(project, "fork", "@last")["make"] == "replay"
    steps = plan(project, "fork", "@last", "--redo", "make[a]")["steps"]
    (of_map,) = [step for step in steps if step["name"] == "make"]
    assert (of_map["plan"], of_map["why"]) == ("run", "goes on with 1 step")
    again = project.run("fork", "@last", "--redo", "make[a]")
    assert said(again) == "1 step run, 3 steps replayed, which saved TIME"


def test_the_plan_of_a_resume_says_so_too(project: Project) -> None:
    pictures(project)
    (project.root / "killed here").touch()
    project.run("trigger", "pictures", "-p", "then_killed:=true", expect=-9)
    assert becomes(project, "resume", "@last")["make"] == "replay"
    assert becomes(project, "resume", "@last", "--redo", "make[*]")["make"] == "run"


FILES = """
    def write(name: str) -> File:
        effect(f"write {name}")
        open(f"{name}.out", "w").write(name)
        return File(f"{name}.out", changed=CHANGED)

    @define_job
    def files(step: Step) -> int:
        return len(step.map("write", write, list("abc"), concurrency=1))
"""


def test_a_completed_run_whose_file_is_gone_is_final_and_points_to_a_fork(project: Project) -> None:
    project.job("from durably import File\n" + dedent(FILES).replace("CHANGED", '"again"'), "files")
    project.run("trigger", "files")
    run = project.inspect()["id"][-8:]
    assert "fork" not in project.run("resume", "@last").err
    (project.root / "a.out").unlink()
    (project.root / "c.out").write_text("another one")
    (project.root / "jobs" / "files.py").rename(project.root / "jobs" / "files.txt")
    resumed = project.run("resume", "@last")
    assert resumed.out == "3\n"
    assert "a.out is gone" in resumed.err
    assert "of step write[a], and 1 other file changed" in resumed.err
    assert resumed.err.endswith(f"durably fork {run}\n")
    answer = json.loads(project.run("resume", "@last", "--json").out)
    assert answer["next"][0].endswith(f"durably fork {run}")
    assert project.run("resume", "@last", "-q").err == ""
    assert len(project.effects) == 3
    (project.root / "jobs" / "files.txt").rename(project.root / "jobs" / "files.py")
    project.run("fork", run)
    assert sorted(project.effects[3:]) == ["write a", "write c"]


def test_a_file_that_must_not_change_is_made_again_by_a_fork_that_says_so(project: Project) -> None:
    project.job("from durably import File\n" + dedent(FILES).replace("CHANGED", '"fail"'), "files")
    project.run("trigger", "files")
    run = project.inspect()["id"][-8:]
    for name in "bc":
        (project.root / f"{name}.out").unlink()
    resumed = project.run("resume", "@last")
    assert resumed.err.endswith(f"durably fork {run} --redo 'write[b]' --redo 'write[c]'\n")
    project.run("fork", run, "--redo", "write[b]", "--redo", "write[c]")
    assert project.effects[3:] == ["write b", "write c"]


@pytest.mark.parametrize("broken", [("zoo",), ("yak", "zoo")])
def test_a_fork_that_replays_failures_says_the_shortest_way_to_execute_them(
    project: Project, broken: tuple[str, ...]
) -> None:
    pictures(project, *broken)
    project.run("trigger", "pictures", "-p", "on_error=collect")
    run = project.inspect()["id"][-8:]
    said = project.run("fork", run).err
    redo = "--redo-failed" if len(broken) > 1 else "--redo 'make[zoo]'"
    (line,) = [line for line in said.splitlines() if "stop this and type: " in line]
    assert line.endswith(f"durably fork {run} {redo}")


def test_a_key_with_what_no_terminal_shows_is_typed_as_it_is_shown(project: Project) -> None:
    project.job(
        r"""
        def item(key: str) -> str:
            effect(repr(key))
            step_of["log"].info("seen")
            return key

        step_of = {}

        @define_job
        def odd(step: Step) -> None:
            step_of["log"] = step.log
            step.map("item", item, ["a\nb", r"c\nd", "c\nd", "e\x1b"], concurrency=1)
            if not os.path.exists("mended"):
                raise OSError
        """,
        "odd",
    )
    project.run("trigger", "odd", expect=1)
    shown = project.run("inspect", "@last", "--step", r"item[a\nb]").out
    assert json.loads(shown) == "a\nb"
    assert "seen" in project.run("logs", "@last", "--step", r"item[a\nb]").out
    planned = becomes(project, "resume", "@last", "--redo", r"item[a\nb]")
    assert [name for name, what in planned.items() if what == "run"] == ["item", "item[a\nb]"]

    before = len(project.effects)
    (project.root / "mended").touch()
    words = ("--redo", r"item[a\nb]", "--redo", r"item[c\nd]", "--redo", r"item[*\x1b]", "--only")
    project.run("resume", "@last", *words)
    assert project.effects[before:] == [repr("a\nb"), repr(r"c\nd"), repr("e\x1b")]


def test_a_step_in_doubt_is_said_to_be_done_as_it_is_shown(project: Project) -> None:
    project.job(
        r"""
        def item(key: str) -> None:
            os.kill(os.getpid(), 9)

        @define_job
        def odd(step: Step) -> None:
            step.map("item", item, ["a\nb"], in_doubt="stop")
        """,
        "odd",
    )
    project.run("trigger", "odd", expect=-9)
    assert becomes(project, "resume", "@last", "--done", r"item[a\nb]")["item[a\nb]"] == "replay"
    project.run("resume", "@last", "--done", r"item[a\nb]")
