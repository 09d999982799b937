"""`durably test --crash-everywhere`: what it leaves as it was, what it refuses, what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project

APPENDS = """
from pathlib import Path
HERE = Path(__file__).resolve().parents[1]

class Input(BaseModel):
    often: int = 1
    slow: bool = False

@define_job
def work(step: Step, payload: Input) -> int:
    for n in range(payload.often):
        step.run(f"send-{n}", append, n)
    if payload.slow:
        step.run("slow", time.sleep, 0.2)
    return payload.often

def append(n: int) -> None:
    with (HERE / "outbox").open("a") as file:
        file.write(f"{n}\\n")
"""
CRASH = ("test", "work", "--crash-everywhere")


@pytest.fixture
def appends(project: Project) -> Project:
    project.job(APPENDS)
    return project


def look_of(path: Path) -> tuple[object, ...]:
    status = path.stat()
    return path.read_bytes(), status.st_mode, status.st_mtime_ns


def left_of_tests(project: Project) -> list[Path]:
    return [*(project.cache / "crash-tests").iterdir()]


def test_a_finding_is_a_row_in_a_pipe(appends: Project) -> None:
    result = appends.run(*CRASH, "--watch", "outbox", expect=1)
    (line,) = result.out.splitlines()
    kind, step, function, call, path, said, mend, killed, trials = line.split("\t")
    assert (kind, step) == ("twice", "send-0")
    text = (appends.root / "jobs" / "work.py").read_text().splitlines()
    assert text[int(call.removeprefix("jobs/work.py:")) - 1].strip().startswith("step.run")
    place, _, name = function.partition(" ")
    assert text[int(place.removeprefix("jobs/work.py:")) - 1] == "def append(n: int) -> None:"
    assert name == "append"
    assert path == str(appends.root / "outbox")
    assert said == "has the line '0' 1 time more"
    assert "idempotency_key" in mend
    assert "before its result was written" in killed
    assert trials == "1"


def test_a_test_says_in_a_pipe_what_it_has_done(appends: Project) -> None:
    said = appends.run(*CRASH, "--limit", "3").err
    assert "work: killed at 3 of " in said
    assert ", 3 held, 0 faults (" in said


def test_what_is_watched_and_the_store_are_left_as_they_were(appends: Project) -> None:
    appends.run("trigger", "work")
    outbox, folder = appends.root / "outbox", appends.root / "folder"
    outbox.chmod(0o640)
    os.utime(outbox, ns=(10**18, 10**18))
    folder.mkdir()
    (folder / "link").symlink_to("nowhere")
    before = look_of(outbox)
    appends.run(*CRASH, "--watch", "outbox", "--watch", "folder", expect=1)
    assert look_of(outbox) == before
    assert os.readlink(folder / "link") == "nowhere"
    assert len(appends.runs()) == 1
    assert left_of_tests(appends) == []
    assert {each.name for each in appends.root.iterdir()} == {"jobs", "outbox", "folder"}


def test_what_the_job_made_is_removed(appends: Project) -> None:
    appends.run(*CRASH, "--watch", "outbox", expect=1)
    assert {each.name for each in appends.root.iterdir()} == {"jobs"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_puts_everything_back(appends: Project, signum: int) -> None:
    outbox = appends.root / "outbox"
    outbox.write_text("as it was\n")
    slow = ("-p", "slow:=true", "-p", "often:=20", "--watch", "outbox")
    with appends.start(*CRASH, *slow) as process:
        appends_have_begun(outbox)
        process.send_signal(signum)
        result = process.result()
    assert result.code == 128 + signum
    assert outbox.read_text() == "as it was\n"
    assert left_of_tests(appends) == []


def appends_have_begun(outbox: Path) -> None:
    while outbox.read_text() == "as it was\n":
        pass


def test_a_killed_test_leaves_copies_and_the_next_one_says_where(appends: Project) -> None:
    outbox = appends.root / "outbox"
    outbox.write_text("as it was\n")
    slow = ("-p", "slow:=true", "-p", "often:=20", "--watch", "outbox")
    with appends.start(*CRASH, *slow) as process:
        appends_have_begun(outbox)
        assert process.is_killed() or process.kill() is None
        process.result()
    said = appends.run(*CRASH, "--watch", "outbox", expect=1).err
    (left,) = left_of_tests(appends)
    assert str(left) in said
    number, path = (left / "copies" / "names").read_text().split()
    assert path == str(outbox)
    assert (left / "copies" / number).read_text() == "as it was\n"


def test_a_killed_test_leaves_no_run_that_goes_on(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> None:
            step.run("long", long)

        def long() -> None:
            with open("pid", "w") as file:
                file.write(str(os.getpid()))
                file.flush()
                time.sleep(600)
    """)
    pid = project.root / "pid"
    with project.start(*CRASH) as process:
        while not (pid.exists() and pid.read_text()):
            pass
        process.kill()
        process.result()
    while Path("/proc", pid.read_text()).exists():  # until the test's own time is over
        pass


def test_a_secret_that_a_job_writes_is_in_no_report(project: Project) -> None:
    project.job(
        """
        from pydantic import SecretStr

        class Input(BaseModel):
            tokens: list[SecretStr]

        @define_job
        def work(step: Step, payload: Input) -> None:
            step.run("sign-in", sign_in, payload.tokens[0])

        def sign_in(token: SecretStr) -> None:
            with open("log", "a") as file:
                file.write(f"as {token.get_secret_value()}\\n")
    """.replace("@define_job", "from durably import Secret\n        @define_job", 0)
    )
    project.env["TOKEN"] = "hunter2hunter2"
    given = ("-i", '{"tokens": ["env:TOKEN"]}', "--watch", "log")
    result = project.run(*CRASH, *given, expect=1)
    assert "has the line 'as **********' 1 time more" in result.out
    assert "hunter2" not in result.out + result.err


def test_places_that_are_left_out_are_said(appends: Project) -> None:
    few = json.loads(appends.run(*CRASH, "-p", "often:=9", "--limit", "7", "--json").out)["test"]
    assert (few["trials"], few["findings"]) == (7, [])
    left_out = few["places"] - 7
    assert any(f"{left_out} places" in line and "--limit 0" in line for line in few["unseen"])
    assert any(str(appends.root / "outbox") in line for line in few["unseen"])


def test_a_path_that_nobody_makes_is_said(appends: Project) -> None:
    result = appends.run(*CRASH, "--watch", "outbux")
    assert "outbux: neither was it there, nor did the job make it" in result.err


def test_what_the_job_takes_away_was_there(project: Project) -> None:
    project.job("""
        import pathlib

        @define_job
        def takes(step: Step) -> None:
            step.run("take", lambda: pathlib.Path("inbox").unlink(missing_ok=True))
    """)
    (project.root / "inbox").write_text("a letter")
    result = project.run("test", "takes", *CRASH[2:], "--watch", "inbox")
    assert "not seen" not in result.err
    assert (project.root / "inbox").read_text() == "a letter"


def test_what_cannot_be_put_back_is_refused(appends: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(300 << 20)
    appends.run("trigger", "work")
    for path, reason in {
        "": "names nothing",
        "/": "too much",
        str(appends.data): "durably's own",
        str(appends.cache / "x" / ".."): "durably's own",
        str(tmp_path / "fifo"): "neither a file",
        str(tmp_path / "large"): "256 MiB",
        str(tmp_path / "nowhere" / "file"): "no folder",
    }.items():
        result = appends.run(*CRASH, "--watch", path, expect=2)
        assert reason in result.err, result
    assert (tmp_path / "large").stat().st_size == 300 << 20


def test_what_something_else_writes_meanwhile_is_refused(appends: Project) -> None:
    (appends.root / "spool").mkdir()
    line = "while :; do date +%N >> spool/log; sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", line], cwd=appends.root) as other:
        try:
            result = appends.run(*CRASH, "--watch", "outbox", "--watch", "spool", expect=2)
        finally:
            other.kill()
    assert f"{appends.root / 'spool'} has changed while no run was executed" in result.err
    assert left_of_tests(appends) == []


def test_what_the_job_refuses_is_passed_on(appends: Project) -> None:
    refused = appends.run(*CRASH, "-p", "often=no", "--json", expect=65)
    assert json.loads(refused.out)["error"]["code"] == "invalid-input"
    unknown = appends.run("test", "wurk", "--crash-everywhere", expect=4)
    assert "there is no job wurk" in unknown.err
    assert "crash-tests" not in unknown.err  # its folder is gone
    assert "--crash-everywhere" in appends.run("test", "work", expect=2).err


def test_a_signal_that_nobody_sends_is_asked_for(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> bool:
            return step.wait_signal("go", bool)
    """)
    refused = project.run(*CRASH, expect=2)
    assert "--signal go=" in refused.err
    project.run(*CRASH, "--signal", "go=true")
    assert "NAME=JSON" in project.run(*CRASH, "--signal", "go", expect=2).err


def test_a_run_that_fails_is_tested_up_to_there(project: Project) -> None:
    project.job("""
        @define_job
        def work(step: Step) -> None:
            step.run("one", time.time)
            step.run("two", lambda: 1 / 0)
    """)
    answer = json.loads(project.run(*CRASH, "--json", expect=1).out)
    found, why = answer["test"], "ZeroDivisionError: division by zero"
    assert (found["status"], found["reason"], found["findings"]) == ("failed", why, [])
    assert any(why in line for line in found["unseen"])
    assert answer["error"]["code"] == "run-failed"
    silent = project.run(*CRASH, "--limit", "1", "-q", expect=1)
    assert silent.err == f"durably: an undisturbed run of work fails: {why}\n"


def test_a_script_is_tested(project: Project) -> None:
    script = project.root / "digest.py"
    script.write_text(
        "from durably import Step, define_job\n"
        "@define_job\n"
        "def digest(step: Step, *, name: str = 'ann') -> str:\n"
        "    step.run('send', send, name)\n"
        "    return name\n"
        "def send(name: str) -> None:\n"
        "    with open('outbox', 'a') as file:\n"
        "        print(name, file=file)\n"
        "digest.main()\n"
    )
    result = project.run("test", "./digest.py", *CRASH[2:], "--watch", "outbox", expect=1)
    assert result.out.split("\t")[:4] == ["twice", "send", "digest.py:6 send", "digest.py:4"]
    starter = project.root / "starter"  # which outlives what it starts, as uv does
    starter.write_text(f'#!/bin/sh\n{sys.executable} "$@"\nexit $?\n')
    script.write_text(f"#!{starter}\n{script.read_text()}")
    for file in (starter, script):
        file.chmod(0o755)
    own = (str(script), "test", *CRASH[2:], "--limit", "1", "--json")
    done = subprocess.run(own, cwd=project.root, env=project.env, capture_output=True, text=True)
    found = json.loads(done.stdout)["test"]
    assert (found["job"], found["held"] + len(found["findings"])) == ("digest", 1), found
    assert not any("not killed there" in line for line in found["unseen"])


def test_a_test_that_kills_nothing_fails(project: Project) -> None:
    """As of a script whose first line starts it without the environment that it is given."""
    script, starter = project.root / "digest.py", project.root / "starter"
    starter.write_text(f'#!/bin/sh\nunset _DURABLY_CRASH_TEST\nexec {sys.executable} "$@"\n')
    script.write_text(
        f"#!{starter}\nfrom durably import Step, define_job\n"
        "@define_job\n"
        "def digest(step: Step) -> int:\n"
        "    return step.run('one', lambda: 1)\n"
        "digest.main()\n"
    )
    for file in (starter, script):
        file.chmod(0o755)
    failed = project.run("test", "./digest.py", *CRASH[2:], expect=1)
    assert "nothing was killed" in failed.err
    assert failed.out == ""


def test_without_a_job_it_is_asked_for(project: Project) -> None:
    assert "say which JOB is to be tested" in project.run("test", *CRASH[2:], expect=2).err


def test_nobody_hears_of_runs_that_are_killed_on_purpose(project: Project) -> None:
    (project.root / "pyproject.toml").write_text(
        "[tool.durably]\nnotify_failure = 'touch notified'\nnotify_recovery = 'touch notified'\n"
    )
    project.job("""
        @define_job
        def fails(step: Step) -> None:
            step.run("one", lambda: 1)
            raise ValueError
    """)
    project.run("test", "fails", *CRASH[2:], expect=1)
    assert not (project.root / "notified").exists()
    project.run("trigger", "fails", expect=1)
    assert (project.root / "notified").exists()


def test_a_quiet_test_says_nothing_if_all_holds(appends: Project) -> None:
    result = appends.run(*CRASH, "-q", "--limit", "3")
    assert (result.out, result.err) == ("", "")
