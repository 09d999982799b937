"""`trigger --detach`: a run that goes on when its command, and its terminal, are gone."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.conftest import Project
from tests.harness.waiting_job import WAITING

JOB = """
import subprocess
from durably_cli import Secret

class WithToken(Input):
    token: Secret | None = None

@define_job
def work(step: Step, payload: WithToken) -> int:
    print("stdin", repr(sys.stdin.read()))
    if payload.token:
        print("token", payload.token.get_secret_value())
    subprocess.run(["sh", "-c", "echo by a child; echo on its stderr >&2; printf unended"])
    step.run("one", effect, f"{os.getsid(0) == os.getpid()} {os.environ.get('DURABLY_DETACHED')}")
    return wait_for_file(step, payload)
"""


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(WAITING + JOB)
    return project


def test_the_run_is_there_when_its_id_is_and_goes_on_in_a_session_of_its_own(
    worked: Project,
) -> None:
    env = worked.env | {"TOKEN": "hunter2hunter2"}
    args = ("--until", "end", "-i", "-", "--token", "env:TOKEN", "--idempotency-key", "k")
    started = worked.run("trigger", "work", "--detach", *args, input='{"n": 7}', env=env)
    run_id = started.out.strip()
    assert [run["id"] for run in worked.runs()] == [run_id]
    assert f" wait {run_id[-8:]}" in started.err
    worked.wait_for_effects()
    assert worked.effects == ["True None"]
    again = worked.run("trigger", "work", "--detach", *args, input='{"n": 7}', env=env)
    assert again.out == started.out
    assert "another process holds it" in again.err, "and no second one waits in the background"
    (worked.root / "end").touch()
    assert worked.run("wait", run_id).out == "7\n"
    logged = [line.split("\t")[3] for line in worked.run("logs", run_id).out.splitlines()]
    assert logged == ["stdin ''", "token **********", "by a child", "on its stderr", "unended"]
    done = worked.run("trigger", "work", "--detach", *args, input='{"n": 7}', env=env)
    assert done.out == started.out
    assert not list(worked.data.rglob("*printed*"))


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ("trigger nope --detach", 4, "there is no job nope"),
        ("trigger work --n x --detach", 65, "valid integer"),
        ("trigger work --idempotency-key k --n 2 --detach", 5, "was used with another input"),
        ("trigger work --detach --detach-after 5s", 2, "exclude each other"),
        ("trigger work --detach-after soon", 2, "is no span of time"),
    ],
)
def test_what_is_wrong_before_there_is_a_run_is_an_error_of_the_command(
    worked: Project, args: str, code: int, said: str
) -> None:
    worked.run("trigger", "work", "--idempotency-key", "k")
    refused = worked.run(*args.split(), "--json", expect=code)
    assert said in refused.err
    assert json.loads(refused.out)["error"]["exit"] == code
    assert len(worked.runs()) == 1


def test_after_some_time_it_is_detached_only_if_it_has_not_ended(worked: Project) -> None:
    ended = worked.run("trigger", "work", "--n", "3", "--detach-after", "100s")
    assert ended.out == "3\n"
    assert "by a child" in ended.err
    failed = worked.run("trigger", "work", "--fail", "--detach-after", "100s", "--json", expect=1)
    assert json.loads(failed.out)["error"]["code"] == "run-failed"
    going = worked.run("trigger", "work", "--until", "end", "--detach-after", "0", "--json")
    document = json.loads(going.out)
    assert document["run"]["detached"] is True
    assert any(" wait " in command for command in document["next"])
    (worked.root / "end").touch()
    worked.run("wait", document["run"]["id"])


def test_a_signal_before_it_is_detached_stops_the_run(worked: Project) -> None:
    with worked.start("trigger", "work", "--until", "end", "--detach-after", "100s") as process:
        worked.wait_for_effects()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert " resume " in err
    assert worked.runs()[0]["status"] == "interrupted"
