"""`-q`: silent on success, one report on failure."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.conftest import BIN, Project

LOUD = """
    import subprocess, logging

    @define_job
    def loud(step: Step, payload: dict) -> str:
        print("printed")
        subprocess.run(["sh", "-c", "echo by a child; echo and its stderr >&2"])
        logging.getLogger("mine").error("logged")
        step.log.warn("careful", n=1)
        step.run("first", effect, "first")
        return step.run("second", second)

    def second() -> str:
        if not os.path.exists("mended"):
            raise RuntimeError("not \\x1b[31myet")
        return "done"
"""


@pytest.fixture
def loud(project: Project) -> Project:
    project.job(LOUD, "loud")
    return project


@pytest.mark.parametrize("by", ["-q", "--quiet", "DURABLY_QUIET=1", "DURABLY_QUIET=true"])
def test_success_is_silent(loud: Project, by: str) -> None:
    (loud.root / "mended").touch()
    name, _, value = by.partition("=")
    args, env = ((), {name: value}) if value else ((by,), {})
    result = loud.run("trigger", "loud", *args, env=loud.env | env)
    assert (result.out, result.err) == ("", "")
    assert loud.runs()[0]["status"] == "completed"
    again = loud.run("resume", "@last", *args, env=loud.env | env)
    assert (again.out, again.err) == ("", "")


def test_failure_is_one_report_with_all_that_is_needed(loud: Project) -> None:
    result = loud.run("trigger", "loud", "-q", "-p", "org=x", expect=1)
    run = loud.runs()[0]["id"]
    assert result.out == ""
    lines = result.err.splitlines()
    assert lines[0] == f"run {run[-8:]} of loud failed in step second"
    for part in (
        *(f"  run      {run}", f"  project  {loud.root}", '  input    {"org":"x"}'),
        *("RuntimeError: not \\x1b[31myet", "in second", "warn  careful n=1"),
        *("  printed", "  by a child", "  and its stderr", "  logged", "failed"),
    ):
        assert part in result.err, part
    where = f"DURABLY_DATA_DIR={loud.data} {BIN / 'durably'} -C {loud.root}"
    assert lines[-1] == f"try: {where} resume {run[-8:]}"
    assert "durably_cli" not in result.err
    again = loud.run("resume", "@last", "-q", expect=1)
    assert "  2  " in again.err
    (loud.root / "mended").touch()
    assert loud.run("resume", "@last", "-q").err == ""
    assert loud.effects == ["first"]


def test_json_is_data_and_printed_all_the_same(loud: Project) -> None:
    (loud.root / "mended").touch()
    result = loud.run("trigger", "loud", "-q", "--json")
    assert json.loads(result.out)["run"]["output"] == "done"
    assert result.err == ""


def test_other_errors_are_said_in_full(loud: Project) -> None:
    assert "did you mean loud?" in loud.run("trigger", "lod", "-q", expect=4).err
    assert "is not JSON" in loud.run("trigger", "loud", "-q", "-i", "{", expect=65).err


SLOW = """
    @define_job
    def slow(step: Step, payload: dict) -> None:
        step.run("nap", nap)

    def nap() -> None:
        effect("napping")
        time.sleep(60)
"""


def test_a_signal_is_a_failure_that_says_how_to_go_on(project: Project) -> None:
    project.job(SLOW)
    with project.start("trigger", "slow", "-q") as process:
        project.wait_for_effects()
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert out == ""
    assert "was interrupted in step nap" in err
    assert f"{BIN / 'durably'} -C {project.root} resume" in err


def test_a_cancelled_run_says_by_whom_and_why_and_no_way_to_go_on(project: Project) -> None:
    project.job(SLOW)
    with project.start("trigger", "slow", "-q") as process:
        project.wait_for_effects()
        project.run("cancel", "@last", "--reason", "wrong month")
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "")
    assert re.search("cancelled by .*: wrong month", err)
    assert "resume" not in err


@pytest.mark.long
def test_what_only_has_to_be_tried_later_is_no_news(project: Project) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step, payload: dict) -> None:
            step.run("nap", lambda: effect("napping") and time.sleep(60))
        """
    )
    key = ("--concurrency-key", "k")
    with project.start("trigger", "slow", *key) as process:
        project.wait_for_effects()
        again = ("trigger", "slow", *key, "--on-conflict", "fail")
        assert project.run(*again, expect=75).err
        silent = project.run(*again, "-q", expect=75)
        assert (silent.out, silent.err) == ("", "")
        held = project.run("resume", "@last", "-q", "--json", expect=75)
        assert json.loads(held.out)["error"]["code"] == "busy"
        assert held.err == ""
        os.kill(process.pid, signal.SIGKILL)


@pytest.mark.long
def test_a_lot_that_was_printed_is_cut_to_its_end(project: Project) -> None:
    project.job(
        """
        @define_job
        def many(step: Step, payload: dict) -> None:
            for n in range(100_000):
                print("line", n)
            raise RuntimeError
        """
    )
    err = project.run("trigger", "many", "-q", expect=1).err
    assert len(err.splitlines()) < 60
    assert "  line 99999" in err
    assert re.search(r"lines before: .*durably -C \S+ logs \w{8}\n", err)
    assert not list(project.data.rglob("*printed*"))


@pytest.mark.parametrize(
    ("value", "quiet"), [("1", True), (" On ", True), ("0", False), ("off", False), (" no ", False)]
)
def test_a_flag_of_the_job_changes_nothing_of_what_is_read_as_quiet(
    loud: Project, value: str, quiet: bool
) -> None:
    env = loud.env | {"DURABLY_QUIET": value}
    for args in (("trigger", "lod"), ("trigger", "lod", "--flag", "x"), ("trigger",), ("resume",)):
        said = loud.run(*args, env=env, expect=None).err
        pasted_anywhere = f"{BIN}/durably " in said
        assert pasted_anywhere == quiet, (args, said)


@pytest.mark.parametrize("option", ["--quiet=1", "--json=1", "--no-wait=yes"])
def test_an_option_that_takes_no_value_is_the_one_that_is_blamed(
    project: Project, option: str
) -> None:
    project.job(
        """
        class Order(BaseModel):
            item: str

        @define_job
        def order(step: Step, payload: Order) -> None: ...
        """,
        "order",
    )
    for args in (("--item", "x", option), (option, "--item", "x"), ("--item", "x", "-h", option)):
        said = project.run("trigger", "order", *args, expect=2).err
        assert f"Option '{option.split('=')[0]}' does not take a value" in said
        assert "--item" not in said


def test_an_attempt_that_is_over_its_time_is_reported_too(project: Project) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step, payload: dict) -> None:
            print("begun")
            step.run("nap", time.sleep, 600)
    """
    )
    result = project.run("trigger", "slow", "-q", "-p", "org=x", "--timeout", "1s", expect=124)
    run = project.runs()[0]
    assert result.err.startswith(f"run {run['id'][-8:]} of slow interrupted\n")
    for part in ('  input    {"org":"x"}', "  begun", "  time limit\n", f"resume {run['id'][-8:]}"):
        assert part in result.err, part
    assert run["reason"] == "time limit, in doubt: nap"
