"""Who is to know that a job fails hears of it once, and once that it has recovered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all

JOBS = """
from pydantic import SecretStr

class Input(BaseModel):
    until: str = ""
    token: SecretStr | None = None

@define_job
def nightly(step: Step, payload: Input) -> str:
    if payload.token:
        step.log.info(f"signs in with {payload.token.get_secret_value()}")
    return step.run("fetch", fetch, payload)

def fetch(payload):
    effect("fetch")
    ends = time.monotonic() + 60  # of a test that failed
    while payload.until and not os.path.exists(payload.until) and time.monotonic() < ends:
        time.sleep(0.01)
    if not os.path.exists("mended"):
        raise RuntimeError(f"no disk {payload.token and payload.token.get_secret_value()}")
    return "done"

@define_job
def other(step: Step) -> str:
    return step.run("fetch", fetch, Input())

@define_job
def charge(step: Step) -> None:
    step.run("card", pay, in_doubt="stop")

def pay():
    if not os.path.exists("mended"):
        os.kill(os.getpid(), 9)

@define_job
def dies(step: Step) -> None:
    if not os.path.exists("mended"):
        os.kill(os.getpid(), 9)

@define_job
def naps(step: Step) -> None:
    step.sleep("nap", 3600)

@define_job
def slow(step: Step) -> None:
    time.sleep(0 if os.path.exists("mended") else 600)

@define_job
def parent(step: Step) -> str:
    return step.run_job("child", other, None)
"""

COMMAND = "cat >> notices; env | grep ^DURABLY_ > variables || true"
BOTH = f"""
[tool.durably]
notify_failure = "{COMMAND}"
notify_recovery = "{COMMAND}"
"""


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOBS)
    (project.root / "pyproject.toml").write_text(BOTH)
    return project


def set_to(project: Project, failure: str) -> None:
    line = json.dumps(failure)
    (project.root / "pyproject.toml").write_text(f"[tool.durably]\nnotify_failure = {line}\n")


def mend(project: Project) -> None:
    (project.root / "mended").touch()


def unmend(project: Project) -> None:
    (project.root / "mended").unlink()


def documents(project: Project) -> list[dict[str, Any]]:
    try:
        lines = (project.root / "notices").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def sent(project: Project) -> list[tuple[str, str]]:
    return [(each["notice"], each["run"]["job"]) for each in documents(project)]


def folder(project: Project) -> Path:
    (found,) = project.data.glob("project-*/notices")
    return found


FAILED, RECOVERED = ("failure", "nightly"), ("recovery", "nightly")


def test_once_when_it_begins_to_fail_and_once_when_it_has_recovered(worked: Project) -> None:
    for _ in range(3):
        worked.run("trigger", "nightly", "-q", expect=1)
    assert sent(worked) == [FAILED]
    worked.run("resume", "@last", "-q", expect=1)
    worked.run("trigger", "other", "-q", expect=1)
    assert sent(worked) == [FAILED, ("failure", "other")]
    mend(worked)
    for _ in range(3):
        worked.run("trigger", "nightly", "-q")
    assert sent(worked) == [FAILED, ("failure", "other"), RECOVERED]
    unmend(worked)
    worked.run("trigger", "nightly", "-q", expect=1)
    assert sent(worked)[3:] == [FAILED]
    assert list(folder(worked).glob("????????-*")) == []


def test_what_is_given_is_the_run_and_what_to_type(worked: Project) -> None:
    worked.run("trigger", "nightly", "--label", "a=b", "-q", expect=1)
    (notice,) = documents(worked)
    run = worked.inspect()
    assert notice["run"].items() <= run.items()
    assert notice["subject"] == "nightly fails: fetch: RuntimeError: no disk None"
    assert (notice["schema"], notice["since"]) == (1, run["ended"])
    assert notice["failed_run"] == run["id"]
    resume = next(each for each in notice["next"] if " resume " in each)
    assert f"-C {worked.root}" in resume
    assert f"try: {resume}" in notice["text"]
    lines = (worked.root / "variables").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    expected = {
        "DURABLY_NOTICE": "failure",
        "DURABLY_JOB": "nightly",
        "DURABLY_RUN_ID": run["id"],
        "DURABLY_STATUS": "failed",
        "DURABLY_REASON": run["reason"],
        "DURABLY_SINCE": run["ended"],
        "DURABLY_SUBJECT": notice["subject"],
        "DURABLY_PROJECT": str(worked.root),
        "DURABLY_TEXT": notice["text"].splitlines()[0],
    }
    assert expected.items() <= variables.items()
    mend(worked)
    worked.run("resume", "@last", "-q")
    recovered = documents(worked)[1]
    assert recovered["subject"] == "nightly has recovered"
    assert (recovered["since"], recovered["failed_run"]) == (notice["since"], run["id"])


def test_no_secret_is_in_it(worked: Project) -> None:
    worked.env["TOKEN"] = "hunter2hunter2"
    worked.run("trigger", "nightly", "--token", "env:TOKEN", "-q", expect=1)
    (notice,) = documents(worked)
    assert notice["run"]["input"]["token"] == "env:TOKEN"
    assert "signs in with" in notice["text"]
    assert "hunter2" not in (worked.root / "notices").read_text()
    assert "hunter2" not in (worked.root / "variables").read_text()


def test_runs_of_a_concurrency_key_or_of_a_label_have_a_state_of_their_own(
    worked: Project,
) -> None:
    for org in ("a", "b", "a"):
        worked.run("trigger", "nightly", "--concurrency-key", org, "-q", expect=1)
    assert len(sent(worked)) == 2
    for org in ("a", "b", "a"):
        worked.run("trigger", "nightly", "--label", f"notice={org}", "-q", expect=1)
    assert len(sent(worked)) == 2  # they share those of the keys with these names
    for day in ("monday", "tuesday"):
        worked.run("trigger", "nightly", "--idempotency-key", day, "-q", expect=1)
    assert len(sent(worked)) == 3
    mend(worked)
    worked.run("trigger", "nightly", "--concurrency-key", "a", "-q")
    worked.run("trigger", "nightly", "--concurrency-key", "a", "-q")
    assert sent(worked)[3:] == [RECOVERED]


def test_two_that_fail_at_the_same_time_send_one(worked: Project) -> None:
    set_to(worked, f"sleep 0.5; {COMMAND}")
    go = worked.root / "go"
    running = [worked.start("trigger", "nightly", "--until", str(go), "-q") for _ in range(6)]
    worked.wait_for_effects(6)
    go.touch()
    assert [each.result().code for each in running] == [1] * 6
    assert sent(worked) == [FAILED]


def test_what_a_person_does_changes_nothing(worked: Project) -> None:
    with worked.start("trigger", "nightly", "--until", "never", "-q") as process:
        worked.wait_for_effects(1)
        process.send_signal(signal.SIGINT)
    assert process.result().code == 130
    with worked.start("trigger", "nightly", "--until", "never", "-q") as process:
        worked.wait_for_effects(2)
        worked.run("cancel", "@last")
    assert process.result().code == 3
    worked.run("trigger", "naps", "--suspend", "-q", expect=75)
    worked.run("tick")
    assert sent(worked) == []
    assert os.listdir(folder(worked)) == []


def test_a_time_limit_and_a_doubt_are_failures(worked: Project) -> None:
    worked.run("trigger", "slow", "--timeout", "0.3s", "-q", expect=124)
    worked.run("trigger", "charge", "-q", expect=-signal.SIGKILL)
    worked.run("trigger", "other", "-q", expect=1)
    expected = [("failure", each) for each in ("slow", "charge", "other")]
    assert sent(worked) == expected
    slow, charge, _ = documents(worked)
    assert slow["subject"] == "slow fails: its time limit was over"
    assert charge["subject"] == "charge fails: nobody knows whether a step has happened"
    assert "--done card" in charge["text"]
    worked.run("tick")
    worked.run("resume", "@last/charge", "-q", expect=1)
    assert sent(worked) == expected
    mend(worked)
    worked.run("resume", "@last/slow", "-q")
    worked.run("resume", "@last/charge", "--redo", "card", "-q")
    assert sent(worked)[3:] == [("recovery", "slow"), ("recovery", "charge")]


def test_a_child_run_is_its_parents_matter(worked: Project) -> None:
    worked.run("trigger", "parent", "-q", expect=1)
    assert sent(worked) == [("failure", "parent")]
    assert {run["job"] for run in worked.runs()} == {"parent", "other"}


def test_what_tick_gives_up_is_sent(worked: Project) -> None:
    worked.run("trigger", "dies", "-q", expect=-signal.SIGKILL)
    for _ in range(5):
        assert sent(worked) == []
        worked.run("tick", "-q", expect=None)
    worked.run("tick", "-q", expect=None)
    (notice,) = documents(worked)
    assert "killed 6 times without getting further" in notice["subject"]
    mend(worked)
    worked.run("resume", "@last", "-q")
    assert sent(worked)[1:] == [("recovery", "dies")]


def test_what_tick_cannot_take_up_is_sent_once(worked: Project) -> None:
    worked.run("trigger", "dies", "-q", expect=-signal.SIGKILL)
    worked.job("import nothing_of_the_kind")
    for _ in range(3):
        worked.run("tick", "-q", expect=1)
    assert sent(worked) == [("failure", "dies")]
    assert "which this project no longer has" in documents(worked)[0]["subject"]
    worked.job(JOBS)
    mend(worked)
    worked.run("tick", "-q")
    assert sent(worked)[1:] == [("recovery", "dies")]


def test_what_tick_took_up_and_failed_is_sent_once(worked: Project) -> None:
    with worked.start("trigger", "nightly", "--until", "never", "-q") as process:
        worked.wait_for_effects(1)
        process.kill()
    (worked.root / "never").touch()
    worked.run("tick", "-q", expect=1)
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED]


def test_a_run_that_died_and_that_nothing_takes_up_has_failed(worked: Project) -> None:
    worked.run("trigger", "dies", "-q", expect=-signal.SIGKILL)
    mend(worked)
    worked.run("trigger", "other", "-q")
    (mark,) = folder(worked).glob("????????-*")
    seen = json.loads(mark.read_text())
    worked.run("trigger", "other", "-q")
    assert json.loads(mark.read_text()) == seen
    assert sent(worked) == []
    before = datetime.now(UTC) - timedelta(minutes=16)
    mark.write_text(json.dumps(seen | {"dead": before.isoformat()}))
    worked.run("trigger", "other", "-q")
    worked.run("trigger", "other", "-q")
    assert sent(worked) == [("failure", "dies")]
    assert "nothing has taken it up" in documents(worked)[0]["subject"]
    worked.run("resume", "@last/dies", "-q")
    assert sent(worked)[1:] == [("recovery", "dies")]


@some_or_all(every=7)
def test_killed_anywhere_it_is_sent_all_the_same(worked: Project, every: int) -> None:
    def fresh() -> tuple[str, ...]:
        (worked.root / "notices").unlink(missing_ok=True)
        for run in worked.runs():
            worked.run("delete", run["id"], "--status", run["status"], "-y")
        for each in worked.data.glob("project-*/notices/*"):
            each.unlink()
        return "trigger", "nightly", "-q"

    def check(number: int) -> None:
        if not worked.runs():  # killed before there was one, or behind the last call
            return
        worked.run("tick", "-q", expect=None)
        runs = worked.runs()
        assert all(run["status"] == "failed" for run in runs), runs
        assert len(runs) <= len(sent(worked)) <= 2 * len(runs), f"killed at call {number}"
        worked.run("tick", "-q", expect=None)
        worked.run("trigger", "nightly", "-q", expect=1)
        assert set(sent(worked)) <= {FAILED}
        assert len(sent(worked)) <= 2, f"killed at call {number}"

    assert killed_everywhere(worked, fresh, check, every, code=1) > 20


def test_a_journal_is_believed_and_no_state(worked: Project) -> None:
    worked.run("trigger", "nightly", "-q", expect=1)
    (worked.root / "pyproject.toml").unlink()
    mend(worked)
    worked.run("resume", "@last", "-q")
    (worked.root / "pyproject.toml").write_text(BOTH)
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED, RECOVERED]
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED, RECOVERED]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"job": 3}', b"\xff" * 9])
def test_a_state_that_cannot_be_read_is_none(worked: Project, content: bytes) -> None:
    worked.run("trigger", "nightly", "-q", expect=1)
    (state,) = folder(worked).glob("*.json")
    state.write_bytes(content)
    worked.run("tick", "-q")
    worked.run("trigger", "nightly", "-q", expect=1)
    worked.run("trigger", "nightly", "-q", expect=1)
    assert sent(worked) == [FAILED, FAILED]
    assert "not of durably" not in worked.run("verify").out


def test_an_end_before_the_failure_is_no_recovery(worked: Project) -> None:
    (worked.root / "pyproject.toml").unlink()
    mend(worked)
    worked.run("trigger", "nightly", "-q")
    before = worked.runs()[0]["id"]
    unmend(worked)
    (worked.root / "pyproject.toml").write_text(BOTH)
    worked.run("trigger", "nightly", "-q", expect=1)
    (folder(worked) / before).touch()  # as if its process had been killed at its end
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED]
    assert not (folder(worked) / before).exists()


def test_python_code_that_triggers_a_job_has_the_outcome_itself(worked: Project) -> None:
    code = "from jobs.work import nightly, Input; print(nightly.trigger(Input()).status)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=worked.root,
        env=worked.env,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "failed\n", done
    assert sent(worked) == []


SHORT = "from durably_cli.cli import noticing\nnoticing.NOTICE_SECONDS = 0.5\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program", "exit code 127"),
        ("echo no mail today >&2; exit 3", "exit code 3: no mail today"),
        ("kill -9 $$", "it was ended by signal 9"),
        ("yes | head -c 30000000; echo the end; exit 4", "the end"),
        ("cat > /dev/null < /dev/zero", "it took longer than 0.5 s, and was ended"),
        pytest.param(
            "trap '' TERM; echo here; sleep 60 & wait",
            "took longer than 0.5 s, and was ended: here",
            marks=pytest.mark.long,
        ),
        ("env:NO_SUCH_THING", "the environment has no NO_SUCH_THING"),
    ],
)
def test_one_that_fails_is_said_and_fails_nothing(worked: Project, command: str, said: str) -> None:
    worked.job(SHORT + JOBS)
    set_to(worked, command)
    result = worked.run("trigger", "nightly", "-q", expect=1)
    assert "durably: notify_failure has failed for nightly: " in result.err
    assert said in result.err
    assert len(result.err) < 6_000
    assert f"fails\tnightly\tsince {worked.runs()[0]['ended']}; its notice was not sent" in (
        worked.run("info").out
    )
    again = worked.run("trigger", "nightly", "-q", expect=1)
    assert said in again.err
    set_to(worked, COMMAND)
    worked.run("trigger", "nightly", "-q", expect=1)
    worked.run("trigger", "nightly", "-q", expect=1)
    assert sent(worked) == [FAILED]


def test_one_that_reads_nothing_of_much_is_well(worked: Project) -> None:
    worked.job(JOBS + "@define_job\ndef large(step: Step, payload: dict) -> None:\n    1 / 0\n")
    set_to(worked, "true")
    (worked.root / "much.json").write_text(json.dumps({"much": "x" * 3_000_000}))
    result = worked.run("trigger", "large", "-i", "@much.json", "-q", expect=1)
    assert "notify_failure" not in result.err
    set_to(worked, "wc -c > size; grep -c '\"much\"' || true")
    worked.run("trigger", "large", "-i", "@much.json", "--label", "notice=2", "-q", expect=1)
    assert int((worked.root / "size").read_text()) > 3_000_000


def test_an_error_as_long_as_it_likes_is_cut(worked: Project) -> None:
    text = r'"x\0\ud800\x1b[31m\n" * 300_000'
    worked.job(f"@define_job\ndef large(step: Step) -> None:\n    raise ValueError({text})")
    result = worked.run("trigger", "large", "-q", expect=1)
    assert "notify_failure" not in result.err
    assert sent(worked) == [("failure", "large")]
    assert "\x1b" not in (worked.root / "variables").read_text()


def test_a_run_whose_journal_is_damaged_has_failed(worked: Project) -> None:
    worked.run("trigger", "dies", "-q", expect=-signal.SIGKILL)
    journal = worked.journal()
    first, second, *others = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join((first, second.replace(b"pid", b"dip"), *others)))
    worked.run("trigger", "other", "-q", expect=1)
    worked.run("trigger", "other", "-q", expect=1)
    assert sent(worked) == [("failure", "dies"), ("failure", "other")]
    assert documents(worked)[0]["subject"] == "dies fails: its journal is damaged"


def test_a_failed_run_that_was_deleted_is_forgotten(worked: Project) -> None:
    worked.run("trigger", "nightly", "-q", expect=1)
    worked.run("delete", "@last", "--status", "failed", "-y")
    worked.run("tick", "-q")
    assert "fails" not in worked.run("info").out
    worked.run("trigger", "nightly", "-q", expect=1)
    assert sent(worked) == [FAILED, FAILED]


def test_what_it_leaves_behind_is_ended(worked: Project) -> None:
    set_to(worked, "setsid sleep 600 & echo $! > pid")
    worked.run("trigger", "nightly", "-q", expect=1)
    pid = int((worked.root / "pid").read_text())
    ends = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_tick_tries_again_after_a_pause(worked: Project) -> None:
    set_to(worked, "exit 3")
    worked.run("trigger", "nightly", "-q", expect=1)
    set_to(worked, COMMAND)
    worked.run("tick", "-q")
    assert sent(worked) == []
    (state,) = folder(worked).glob("*.json")
    before = (datetime.now(UTC) - timedelta(minutes=3)).isoformat()
    state.write_text(json.dumps(json.loads(state.read_text()) | {"tried": before}))
    worked.run("trigger", "naps", "--suspend", "-q", expect=75)
    assert sent(worked) == []
    worked.run("tick", "-q")
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED]


def test_a_recovery_that_was_not_sent_is_tried_again(worked: Project) -> None:
    worked.run("trigger", "nightly", "-q", expect=1)
    mend(worked)
    (worked.root / "pyproject.toml").write_text('[tool.durably]\nnotify_recovery = "exit 3"\n')
    assert "notify_recovery has failed" in worked.run("trigger", "nightly", "-q").err
    (worked.root / "pyproject.toml").write_text(BOTH)
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED]
    worked.run("trigger", "nightly", "-q")
    worked.run("trigger", "nightly", "-q")
    assert sent(worked) == [FAILED, RECOVERED]


def test_one_that_takes_its_time_holds_up_no_other_job(worked: Project) -> None:
    set_to(worked, "touch began; until [ -e go ]; do sleep 0.01; done")
    with worked.start("trigger", "nightly", "-q") as process:
        ends = time.monotonic() + 30
        while not (worked.root / "began").exists():
            assert time.monotonic() < ends
            time.sleep(0.01)
        worked.run("trigger", "naps", "--suspend", "-q", expect=75)
        (worked.root / "go").touch()
        result = process.result()
    assert result.code == 1 and "notify_failure" not in result.err


def test_its_command_may_have_a_job_do_it(worked: Project) -> None:
    durably = f"{sys.executable} -m durably_cli"
    set_to(worked, f"echo $DURABLY_JOB >> sent; {durably} trigger other -q 2>> said; [ $? = 1 ]")
    result = worked.run("trigger", "nightly", "-q", expect=1)
    assert "notify_failure" not in result.err
    assert (worked.root / "sent").read_text() == "nightly\n"
    assert "of other failed" in (worked.root / "said").read_text()


def test_a_ctrl_c_ends_it_and_leaves_it_to_the_next(worked: Project) -> None:
    set_to(worked, "echo $$ > pid; sleep 600")
    with worked.start("trigger", "nightly", "-q") as process:
        ends = time.monotonic() + 30
        while not (worked.root / "pid").exists():
            assert time.monotonic() < ends
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        result = process.result()
    assert result.code == 1, result
    set_to(worked, COMMAND)
    worked.run("tick", "-q")
    assert sent(worked) == [FAILED]


def test_without_a_command_for_failures_recoveries_are_sent(worked: Project) -> None:
    (worked.root / "pyproject.toml").write_text(f'[tool.durably]\nnotify_recovery = "{COMMAND}"\n')
    worked.run("trigger", "nightly", "-q", expect=1)
    mend(worked)
    worked.run("trigger", "nightly", "-q")
    assert sent(worked) == [RECOVERED]


def test_without_settings_nothing_is_written(project: Project) -> None:
    project.job(JOBS)
    project.run("trigger", "nightly", "-q", expect=1)
    assert not list(project.data.glob("project-*/notices"))
