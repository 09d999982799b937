"""`durably list`: the runs, newest first, for pipes, people and programs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project


@pytest.fixture
def three(project: Project) -> Project:
    """A project with three runs: good (team=a), bad (team=b) and good (team=b), in that order."""
    project.job(
        """
        @define_job
        def good(step: Step, payload: dict) -> None:
            step.run("one", int)

        @define_job
        def bad(step: Step, payload: dict) -> None:
            step.run("boom", lambda: 1 / 0)
        """
    )
    project.run("trigger", "good", "--label", "team=a")
    project.run("trigger", "bad", "--label", "team=b", "--label", "x=y", expect=1)
    project.run("trigger", "good", "--label", "team=b")
    return project


def on_a_terminal(project: Project, *args: str, columns: int = 100) -> str:
    """What the command shows on a terminal of this width, colours taken out."""
    main, terminal = pty.openpty()
    env = project.env | {"COLUMNS": str(columns), "TERM": "xterm-256color"}
    with project.start(*args, stdin=terminal, stdout=terminal, stderr=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                data = os.read(main, 65536)
            except OSError:  # its last user has closed it
                break
            if not data:
                break
            shown += data
        process.wait(30)
    os.close(main)
    text = shown.decode().replace("\r\n", "\n")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_long_names_give_way_and_numbers_stay_whole(project: Project) -> None:
    name = "reconcile-the-ledgers-of-all-subsidiaries-every-night"
    project.job(f"@define_job(name={name!r})\ndef work(step: Step, payload: dict) -> int: return 1")
    project.run("trigger", name)
    _, row = on_a_terminal(project, "list", columns=60).splitlines()
    assert re.fullmatch(
        r"[0-9a-f]{8}  reconcile\S*…  ✓ completed  +\d+s  +\d+(\.\d)? m?s  +0 *", row
    ), row


def test_in_a_pipe_a_run_is_a_line_of_tab_separated_cells_without_a_header(three: Project) -> None:
    lines = three.run("list").out.splitlines()
    cells = [line.split("\t") for line in lines]
    assert [row[1:3] for row in cells] == [
        ["good", "completed"],
        ["bad", "failed"],
        ["good", "completed"],
    ]
    assert all(len(row) == 11 for row in cells)
    run, _, _, created, ended, seconds, steps, reason, labels, steps_failed, origin = cells[1]
    assert (steps_failed, origin) == ("1", "")
    assert re.fullmatch(r"[0-9a-f-]{36}", run)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created)
    assert created <= ended
    assert float(seconds) >= 0
    assert (steps, reason, labels) == (
        "0",
        "boom: ZeroDivisionError: division by zero",
        "team=b,x=y",
    )


def test_json_is_one_document(three: Project) -> None:
    document = json.loads(three.run("list", "--json").out)
    assert document["schema"] == 1
    assert [run["job"] for run in document["runs"]] == ["good", "bad", "good"]
    assert document["runs"][1]["labels"] == {"team": "b", "x": "y"}
    assert document["runs"][0]["steps"] == 1


@pytest.mark.parametrize(
    ("filters", "jobs"),
    [
        (("--job", "bad"), ["bad"]),
        (("--job", "bad", "--job", "good"), ["good", "bad", "good"]),
        (("--status", "completed"), ["good", "good"]),
        (("--status", "failed", "--status", "completed"), ["good", "bad", "good"]),
        (("--label", "team=b"), ["good", "bad"]),
        (("--label", "team=b", "--label", "x=y"), ["bad"]),
        (("--since", "1h"), ["good", "bad", "good"]),
        (("--since", "2000-01-01"), ["good", "bad", "good"]),
        (("--since", "2100-01-01T00:00"), []),
        (("-n", "1"), ["good"]),
        (("-n", "2", "--status", "completed"), ["good", "good"]),
        (("-n", "0"), ["good", "bad", "good"]),
        (("--job", "nobody"), []),
    ],
)
def test_filters(three: Project, filters: tuple[str, ...], jobs: list[str]) -> None:
    assert [line.split("\t")[1] for line in three.run("list", *filters).out.splitlines()] == jobs


@pytest.mark.parametrize(
    "args", [("--since", "yesterday"), ("--status", "odd"), ("--label", "x"), ("-n", "-1")]
)
def test_a_filter_that_makes_no_sense_is_a_usage_error(
    three: Project, args: tuple[str, ...]
) -> None:
    assert three.run("list", *args, expect=2).out == ""


def test_a_terminal_gets_a_table_with_short_ids_that_fits(three: Project) -> None:
    run = three.runs()[1]["id"]
    for columns in (60, 100, 200):
        shown = on_a_terminal(three, "list", columns=columns)
        lines = shown.splitlines()
        assert lines[0].split() == ["run", "job", "status", "age", "took", "steps", "notes"]
        assert run[-8:] in lines[2]
        assert run not in shown
        assert "✗ failed" in lines[2]
        assert all(len(line) <= columns for line in lines)


def test_a_screenful_is_listed_and_said_not_to_be_all(project: Project) -> None:
    program = """
from durably_cli.system import clock, ids
from durably_cli.values import strict_json
from durably_cli.journal import events
from durably_cli.project import stores
from durably_cli.project import places
store = stores.open_store(places.find_project(), to_write=True)
for _ in range(23):
    run = ids.new()
    store.create(events.RunCreated(1, run, "made", strict_json.Json("{}"), clock.now())).close()
"""
    subprocess.run([sys.executable, "-c", program], cwd=project.root, env=project.env, check=True)
    listed = project.run("list")
    assert len(listed.out.splitlines()) == 20
    assert listed.err == "these are the newest 20; for all of them add -n 0\n"
    for count, lines in ("20", 20), ("0", 23), ("30", 23):
        listed = project.run("list", "-n", count)
        assert (len(listed.out.splitlines()), listed.err) == (lines, "")
    assert "no run fits in" in on_a_terminal(project, "list", "--job", "other")


def test_took_is_the_time_in_attempts_and_not_between_them(project: Project) -> None:
    at = "2026-11-24T10:{}:00.000Z".format
    program = f"""
from durably_cli.journal import events
from durably_cli.system import ids
from durably_cli.project import places, stores
from durably_cli.journal.events import (RunCreated, RunStarted, RunCompleted)
from durably_cli.journal.step_events import StepStarted
from durably_cli.values.strict_json import Json
store = stores.open_store(places.find_project(), to_write=True)
run = ids.new()
with store.create(RunCreated(1, run, "made", Json("{{}}"), {at("00")!r})) as journal:
    journal.append(RunStarted(1, 1, "h", {at("01")!r}))
    journal.append(StepStarted("one", {at("03")!r}))
    journal.append(RunStarted(2, 1, "h", {at("30")!r}))
    journal.append(RunCompleted(Json("1"), {at("34")!r}))
"""
    subprocess.run([sys.executable, "-c", program], cwd=project.root, env=project.env, check=True)
    assert project.runs()[0]["seconds"] == 6 * 60
    assert " 6 m 0 s " in on_a_terminal(project, "list")


def test_no_runs_are_nothing_in_a_pipe_and_a_word_on_a_terminal(project: Project) -> None:
    assert project.run("list").out == ""
    assert json.loads(project.run("list", "--json").out)["runs"] == []
    shown = on_a_terminal(project, "list")
    there_is_none = f"there is no folder {project.data}, which DURABLY_DATA_DIR names"
    assert f"no runs yet: {there_is_none}\ntry: " in shown and "durably jobs\n" in shown
    project.job("not_python(", "first_job")
    assert "durably trigger first-job\n" in on_a_terminal(project, "list")
    project.env["SUDO_USER"] = "ann"
    assert "runs belong to the user who made them" in on_a_terminal(project, "list")
    assert not project.data.exists(), "looking makes no folders"


def test_it_changes_nothing_and_imports_no_job(three: Project) -> None:
    three.job("effect('imported')\n", "tell_tale")

    def everything() -> list[tuple[Path, int, int]]:
        return [
            (path, path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(three.data.rglob("*"))
        ]

    before = everything()
    three.run("list")
    three.run("list", "--json")
    three.run("inspect", "@last")
    assert everything() == before
    assert three.effects == []


def test_who_reads_only_the_first_line_is_no_error(three: Project) -> None:
    read, write = os.pipe()
    with three.start("list", stdout=write) as process:
        os.close(read)
        os.close(write)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_full_disk_behind_stdout_is_an_error(three: Project) -> None:
    with open("/dev/full", "w") as full:
        result = three.run("list", stdout=full, expect=74)
    assert "No space left on device" in result.err


def test_left_overs_in_the_store_are_no_runs(three: Project) -> None:
    day = three.journal().parent
    (day / "notes.txt").write_text("x")
    (day / f"{three.journal().stem}.torn-1").write_text("x")
    (day.parent / "not-a-day").mkdir()
    assert len(three.runs()) == 3


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (24, "run job status"),
        (32, "run job status age"),
        (44, "run job status age notes"),
        (100, "run job status age took steps notes"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_those_whole(
    three: Project, columns: int, shown: str
) -> None:
    head, bad = on_a_terminal(three, "list", "--status", "failed", columns=columns).splitlines()
    assert head.split() == shown.split()
    assert re.match(rf"{three.runs()[1]['id'][-8:]}  bad +✗ failed", bad)
    assert len(bad) <= columns
    assert ("…" in bad) == (columns == 44), "a note is cut, and nothing else"


def test_more_runs_than_any_number_of_the_machine_are_all(project: Project) -> None:
    assert project.run("list", "-n", str(2**63)).out == ""
    assert project.run("list", "-n", str(10**30), "--json").code == 0
