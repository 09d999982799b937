"""`--json`: one document of one shape in every outcome of every command that has the option."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from durably_cli.cli.commands import COMMANDS
from tests.conftest import Project, disk_ends_at

JOB = """
class Input(BaseModel):
    n: int = 1
    fail: bool = False

@define_job
def work(step: Step, payload: Input) -> int:
    step.run("one", lambda: payload.n)
    step.log.info("logged")
    step.progress(1, 2, "half")
    if payload.fail:
        step.run("fails", lambda: 1 / 0)
    if payload.n == 60:
        step.run("long", lambda: effect("begun") and time.sleep(60))
    return payload.n
"""

THING = {"list": "runs", "verify": "findings", "info": "info"}


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOB)
    project.run("trigger", "work", "--idempotency-key", "k")
    return project


def answer(project: Project, *args: str, expect: int, **popen: Any) -> dict[str, Any]:
    """The one document of the command, as the contract has it."""
    result = project.run(*args, expect=expect, **popen)
    document: dict[str, Any] = json.loads(result.out)
    check(document, expect)
    return document


def check(document: dict[str, Any], code: int) -> None:
    """Whatever the outcome: its shape, and an error exactly if the exit code is not 0."""
    assert document["schema"] == 1
    assert isinstance(document["next"], list)
    assert all(re.search(r"(^|[ /])durably ", command) for command in document["next"])
    assert ("error" in document) is (code != 0)
    if code:
        error = document["error"]
        assert error["exit"] == code
        assert list(error) == ["code", "exit", "message", "hint", "retryable", "run", "next"]
        assert error["next"] == document["next"]
        assert error["retryable"] is (code in (69, 75, 124, 129, 130, 143))


@pytest.mark.parametrize(
    ("args", "code", "name"),
    [
        ("trigger work", 0, "run"),
        ("trigger work -q", 0, "run"),
        ("trigger work --fail", 1, "run-failed"),
        ("trigger work --idempotency-key k", 0, "run"),
        ("trigger work --idempotency-key k --n 2", 5, "key-conflict"),
        ("trigger work --n x", 65, "invalid-input"),
        ("trigger work -i {", 65, "invalid-input"),
        ("trigger work --nope 1", 2, "usage"),
        ("trigger work --no-wait", 2, "usage"),
        ("trigger nope", 4, "no-such-job"),
        ("trigger", 2, "usage"),
        ("resume @last", 0, "run"),
        ("resume @failed", 4, "no-such-run"),
        ("resume ffff", 4, "no-such-run"),
        ("resume @nope", 2, "usage"),
        ("list", 0, "runs"),
        ("list --job nope", 0, "runs"),
        ("list --since never", 2, "usage"),
        ("list --watch", 2, "usage"),
        ("inspect @last", 0, "run"),
        ("inspect @last --follow", 0, "run"),
        ("inspect ffff", 4, "no-such-run"),
        ("inspect @last --events", 2, "usage"),
        ("wait @last", 0, "run"),
        ("wait ffff", 4, "no-such-run"),
        ("logs ffff", 4, "no-such-run"),
        ("logs @last --step nope", 4, "no-such-step"),
        ("verify", 0, "findings"),
        ("verify ffff", 4, "no-such-run"),
        ("jobs", 0, "jobs"),
        ("jobs work", 0, "job"),
        ("jobs nope", 4, "no-such-job"),
        ("info", 0, "info"),
        ("help", 0, "commands"),
        ("help agents", 0, "text"),
        ("help nope", 4, "no-such-topic"),
        ("nope", 2, "usage"),
        ("delete @last", 2, "usage"),
        ("-C /nowhere list", 78, "config"),
    ],
)
def test_every_outcome_has_one_document(worked: Project, args: str, code: int, name: str) -> None:
    document = answer(worked, *args.split(), "--json", expect=code)
    assert name in (document if code == 0 else document["error"]["code"])
    if code == 1:
        assert document["run"]["status"] == "failed"
        assert document["error"]["run"] == document["run"]["id"]
        assert any(" resume " in command for command in document["next"])


@pytest.mark.parametrize("command", ["inspect @last", "verify", "resume @last", "trigger work"])
def test_damage_and_a_broken_module_are_in_the_document(worked: Project, command: str) -> None:
    path = worked.journal()
    path.write_bytes(path.read_bytes().replace(b'"logged"', b'"lagged"'))
    broken = worked.root / "jobs" / "broken.py"
    broken.write_text("1 / 0")
    code = 0 if command.startswith("trigger") else 74
    document = answer(worked, *command.split(), "--json", expect=code)
    if command == "inspect @last":
        assert document["run"]["status"] == "damaged"
        assert document["error"]["code"] == "journal-damaged"
    jobs = answer(worked, "jobs", "--json", expect=78)
    assert [job["name"] for job in jobs["jobs"]] == ["work"]
    assert jobs["error"]["code"] == "job-module"


def test_a_lost_result_ends_the_document_where_it_was(project: Project) -> None:
    project.job(
        "@define_job\ndef work(step: Step, payload: dict) -> str:\n    return 'x' * 2_000_000\n"
    )
    project.run("trigger", "work")
    folder = project.journal().with_suffix(".blobs")
    for file in folder.iterdir():
        file.write_bytes(b"y" * file.stat().st_size)
    answer(project, "inspect", "@last", "--json", expect=74)
    answer(project, "list", "--json", expect=0)


def test_a_disk_that_is_full_is_in_the_document(project: Project) -> None:
    project.job(JOB)
    document = answer(project, "trigger", "work", "--json", expect=74, **disk_ends_at(0))
    assert document["error"]["code"] in ("io", "journal-lost")


def test_a_signal_is_in_the_document_with_the_run(project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--n", "60", "--json") as process:
        project.wait_for_effects()
        busy = answer(project, "resume", "@last", "--json", expect=75)
        assert busy["error"]["code"] == "busy"
        os.kill(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    check(json.loads(out), 143)
    error = json.loads(out)["error"]
    assert error["code"] == "interrupted"
    assert Path(project.journal()).stem == error["run"]
    assert error["next"][0].endswith(f" resume {error['run'][-8:]}")


def test_progress_is_shown_to_programs(worked: Project) -> None:
    (listed,) = worked.runs()
    assert {"current": 1, "total": 2, "message": "half"}.items() <= listed["progress"].items()
    assert worked.inspect()["progress"] == listed["progress"]
    assert '\nprogress\t{"current":1' in worked.run("inspect", "@last").out


def test_every_command_is_described_with_what_its_help_shows(project: Project) -> None:
    document = answer(project, "help", "--json", expect=0)
    assert [command["name"] for command in document["commands"]] == list(COMMANDS)
    for command in document["commands"]:
        shown = project.run(command["name"], "--help").out
        listed = re.findall(r"^  (?:(-\w), )?(--[\w-]+)", shown, re.MULTILINE)
        options = {name for option in command["options"] for name in option["names"]}
        assert options == {name for names in listed for name in names if name} - {"-h", "--help"}
        for argument in command["arguments"]:
            assert argument["name"] in shown.split("\n", 1)[0]
        assert command["summary"] == command["help"].split("\n", 1)[0]
    trigger = document["commands"][0]["options"]
    conflict = next(each for each in trigger if "--on-conflict" in each["names"])
    assert conflict["choices"] == ["wait", "skip", "fail"]
    assert conflict["default"] == "wait"
