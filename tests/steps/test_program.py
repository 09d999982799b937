"""`step.sh` and `sh`: what goes into a program, and what comes out of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from durably import CommandResult, Retry, Secret, Step, StepMisused, StepTimeout, sh

from durably_cli.journal.events import LogWritten
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepRetrying
from durably_cli.steps import program
from tests.conftest import Project
from tests.harness.memory_log import MemoryLog
from tests.harness.trees import left_of


def test_its_result_is_typed_and_replayed() -> None:
    log = MemoryLog()
    result = Step({}, log.append).sh(
        "x", ["sh", "-c", "echo out; echo err >&2; exit 3"], check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert 0 < result.seconds < 60
    (completed,) = (each for each in log.events if isinstance(each, StepCompleted))
    again = Step({"x": completed.result}).sh("x", ["never", "executed"])
    assert again == result
    assert isinstance(again, CommandResult)


def test_in_a_function_its_result_may_be_that_of_the_step() -> None:
    def ask() -> CommandResult:
        return sh("echo $WHO; pwd; cat", env={"WHO": "me"}, cwd="/", input="in")

    assert Step().run("x", ask).stdout == "me\n/\nin"


@pytest.mark.parametrize(
    ("command", "given", "printed"),
    [
        (["printf", "%s|", "a b", "$HOME", "*"], {}, "a b|$HOME|*|"),
        ("printf '%s|' a b; echo $((1+1))", {}, "a|b|2\n"),
        (["cat"], {}, ""),
        (["cat"], {"input": b"\xff\xe2\x82\xac\0\n"}, "\\xff€\0\n"),
        (["wc", "-c"], {"input": "x" * 1_000_000}, "1000000\n"),
        (["true"], {"input": "x" * 1_000_000}, ""),
        ("exec >&- 2>&-; sleep 0.1", {}, ""),
        (Path("/bin/echo"), {}, None),
        ([Path("/bin/echo"), Path("a")], {}, "a\n"),
        (["pwd"], {"cwd": Path("/")}, "/\n"),
        ("echo $PATH$ADDED", {"env": {"ADDED": "!"}}, f"{os.environ['PATH']}!\n"),
        ("trap - PIPE; yes | head -1", {}, "y\n"),
    ],
)
def test_what_is_given_comes_out(command: Any, given: dict[str, Any], printed: str | None) -> None:
    if printed is None:
        with pytest.raises(TypeError, match="a text for the shell, or a list"):
            sh(command, **given)
    else:
        assert sh(command, **given).stdout == printed


def test_its_failure_says_why() -> None:
    log = MemoryLog()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        Step({}, log.append).sh("x", "echo out; echo because >&2; exit 4")
    assert (caught.value.returncode, caught.value.stdout) == (4, "out\n")
    assert caught.value.stderr == "because\n"
    failed = log.events[-1]
    assert isinstance(failed, StepFailed)
    assert failed.error.traceback.endswith("exit status 4.\nthe end of its stderr:\nbecause")
    assert "args" in failed.raised
    with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
        sh("kill -9 $$")


def test_it_may_be_tried_again(tmp_path: Path) -> None:
    log, command = MemoryLog(), f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) = 3"
    result = Step({}, log.append).sh("x", command, tries=Retry(3, delay=0))
    assert result.returncode == 0
    assert [type(each) for each in log.events].count(StepRetrying) == 2


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("trap '' TERM; sleep 60 & echo $!; wait", marks=pytest.mark.long),
        "sleep 60",
    ],
)
def test_it_has_so_much_time(command: str) -> None:
    with pytest.raises(StepTimeout, match=r"took longer than 0\.1 s, and was ended") as caught:
        sh(f"echo $$; {command}", timeout=0.1)
    (note,) = caught.value.__notes__
    assert left_of([word for word in note.split() if word.isdecimal()]) == []


def test_a_limit_of_the_step_around_it_ends_it_too(tmp_path: Path) -> None:
    with pytest.raises(StepTimeout):
        Step().run("x", lambda: sh(f"echo $$ > {tmp_path}/pid; sleep 60").stdout, timeout=0.5)
    pid = (tmp_path / "pid").read_text().strip()
    assert not Path("/proc", pid).exists()


def test_what_it_leaves_behind_is_not_waited_for() -> None:
    result = sh("sleep 60 & echo $!")
    assert Path("/proc", result.stdout.strip()).exists() or sys.platform != "linux"
    os.kill(int(result.stdout), signal.SIGKILL)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"command": 5}, TypeError, "a text for the shell, or a list"),
        ({"command": b"ls"}, TypeError, "a text for the shell, or a list"),
        ({"command": []}, ValueError, "the command is empty"),
        ({"command": [""]}, ValueError, "the command is empty"),
        ({"command": " "}, ValueError, "the command is empty"),
        ({"command": ["ls", 5]}, TypeError, r"word 2 of the command .* not 5: write str\(5\)"),
        ({"command": ["ls", b"x"]}, TypeError, "word 2 of the command .* decode it"),
        ({"command": ["ls", Secret("s")]}, TypeError, "word 2 .* a secret: .* in env or input"),
        ({"command": "a\0b"}, ValueError, "the command has a NUL"),
        ({"command": "ls", "cwd": 5}, TypeError, "cwd is a text or a path"),
        ({"command": "ls", "env": ["A"]}, TypeError, "env is a dict of texts"),
        ({"command": "ls", "env": {"A": 1}}, TypeError, r"env\['A'\] is a text, not 1"),
        ({"command": "ls", "env": {"A": Secret("s")}}, TypeError, "give its get_secret_value"),
        ({"command": "ls", "env": {"A=B": "1"}}, ValueError, "no name of a variable"),
        ({"command": "ls", "env": {"A": "\0"}}, ValueError, "has a NUL"),
        ({"command": "ls", "input": 5}, TypeError, "input is a text or bytes"),
        ({"command": "ls", "timeout": 0}, ValueError, "no program ends in no time"),
        ({"command": "ls", "timeout": -1}, ValueError, "negative"),
        ({"command": "ls", "timeout": "soon"}, ValueError, "it reads 90s"),
    ],
)
def test_what_makes_no_sense_is_misuse_and_executes_nothing(
    given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        sh(**given)
    log = MemoryLog()
    with pytest.raises(StepMisused, match=f"step 'x': .*{said}"):
        Step({}, log.append).sh("x", **given)
    assert log.events == []


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"command": ["no-such-one"]}, FileNotFoundError, "no such program on PATH: 'no-such-one'"),
        ({"command": ["./no-such"], "cwd": "/"}, FileNotFoundError, r"no such program: '/\./no-s"),
        ({"command": ["/etc/passwd"]}, PermissionError, "no program that may be executed"),
        ({"command": ["/"]}, PermissionError, "no program that may be executed"),
        ({"command": "ls", "cwd": "/no-such"}, FileNotFoundError, "cwd is no folder: '/no-such'"),
        ({"command": "ls", "cwd": "/etc/passwd"}, NotADirectoryError, "cwd is no folder"),
        ({"command": ["ls"], "env": {"PATH": "/"}}, FileNotFoundError, "no such program on PATH"),
    ],
)
def test_what_is_not_there_is_an_ordinary_failure(
    given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        sh(**given)


def test_a_file_that_is_no_program_is_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text").chmod(0o700)
    with pytest.raises(OSError, match="Exec format error"), monkeypatch.context() as patched:
        patched.setattr(program, "end_processes_with", _never)  # for none is there
        sh([tmp_path / "text"])


def _never(mark: str) -> None:
    raise AssertionError(mark)


def test_many_at_once_and_one_after_the_other_leave_nothing_open() -> None:
    sh(["true"])
    before = len(os.listdir("/dev/fd"))
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda n: sh(["echo", str(n)]).stdout, range(200))
        assert list(found) == [f"{n}\n" for n in range(200)]
    assert len(os.listdir("/dev/fd")) <= before  # fewer, if another test's program ended meanwhile


def test_a_fork_of_the_process_has_programs_of_its_own() -> None:
    sh(["true"])
    pid = os.fork()
    if pid == 0:
        os._exit(0 if sh("echo in a fork").stdout == "in a fork\n" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert sh("echo still").stdout == "still\n"


def test_a_thread_of_a_step_is_in_its_run() -> None:
    log, found = MemoryLog(), list[str]()

    def in_a_thread() -> int:
        thread = Thread(target=lambda: found.append(sh("echo hi").stdout))
        thread.start()
        thread.join()
        return 1

    Step({}, log.append).run("x", in_a_thread)
    (line,) = (each for each in log.events if isinstance(each, LogWritten))
    assert (line.message, line.step, line.source) == ("hi", "x", "stdout")
    assert found == ["hi\n"]


JOB = """
    from pydantic import SecretStr
    from durably import sh

    class Input(BaseModel):
        token: SecretStr = SecretStr("none")

    @define_job
    def work(step: Step, payload: Input) -> str | None:
        token = payload.token.get_secret_value()
        step.sh("says", "echo it is $TOKEN; cat", env={"TOKEN": token}, input=token)
        step.run("keeps", lambda: sh("echo $TOKEN", env={"TOKEN": token}).stdout)
        large = step.sh("large", "seq 30000; echo $TOKEN; seq 30000 >&2", env={"TOKEN": token})
        assert large.stdout.startswith("1\\n2\\n") and large.stderr.endswith("29999\\n30000\\n")
        assert len(large.stdout) < 70_000
        assert large.stdout_file in large.stdout
        if os.environ.get("FAIL"):
            step.sh("fails", "echo $TOKEN >&2; exit 1", env={"TOKEN": token})
        return large.stdout_file
    """


def test_output_is_shown_logged_and_whole_in_a_file_without_secrets(project: Project) -> None:
    project.job(JOB)
    env = project.env | {"MY_TOKEN": "hunter2-and-more-of-it", "FAIL": "1"}
    failed = project.run("trigger", "work", "--token", "env:MY_TOKEN", env=env, expect=1)
    assert "it is **********\n" in failed.err
    assert "\n30000\n" in failed.err
    env.pop("FAIL")
    path = json.loads(project.run("resume", "@last", env=env).out)
    lines = Path(path).read_text().splitlines()
    assert lines == [*map(str, range(1, 30001)), "**********"]
    logs = project.run("logs", "@last", "--step", "large").out.splitlines()
    assert len(logs) == 2 * (1_000 + 2)
    assert sum("more is printed than the logs take" in line for line in logs) == 2
    assert sum(f"in all, in {path}" in line for line in logs) == 1
    for file in project.data.rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes(), file
        assert file.stat().st_mode & 0o077 == 0, file
    assert "hunter2" not in failed.err
    assert project.run("verify").code == 0


def test_output_goes_where_its_run_goes(project: Project, tmp_path: Path) -> None:
    project.job(JOB)
    path = Path(json.loads(project.run("trigger", "work").out))
    bundle, whole = tmp_path / "bundle", path.read_bytes()
    project.run("export", "@last", "-o", str(bundle))
    project.run("delete", "@last", "--yes")
    assert not path.parent.exists()
    project.run("import", str(bundle))
    assert path.read_bytes() == whole


def test_between_steps_it_is_refused_as_each_attempt_would_do_it(project: Project) -> None:
    project.job(
        """
        from durably import sh

        @define_job
        def work(step: Step, payload: dict[str, int]) -> None:
            sh("echo x")
        """
    )
    refused = project.run("trigger", "work", expect=1)
    assert "sh was called outside of a step, where every attempt would call it again" in refused.err
    assert "x\n" not in refused.err.splitlines(keepends=True)


UNPLACED = """
    from concurrent.futures import ThreadPoolExecutor
    from pydantic import SecretStr
    from durably import sh

    class Input(BaseModel):
        token: SecretStr
        how: str

    def says() -> None:
        os.environ["TOKEN"] = Path(os.environ["TOKEN_FILE"]).read_text()
        sh("echo it is $TOKEN >&2")

    def failed(run: object) -> None:
        says()

    @define_job(on_failure=failed)
    def work(step: Step, payload: Input) -> None:
        if payload.how == "on_failure":
            raise ValueError("fails")
        if payload.how == "thread":
            ThreadPoolExecutor(1).submit(says).result()
        pid = os.fork()
        if not pid:
            says()
            os._exit(0)
        os.waitpid(pid, 0)
    """


@pytest.mark.parametrize(("how", "code"), [("thread", 1), ("on_failure", 1), ("fork", 0)])
def test_what_is_of_no_step_shows_no_secret(project: Project, how: str, code: int) -> None:
    project.job("from pathlib import Path\n" + textwrap.dedent(UNPLACED))
    file = project.root / "token"
    file.write_text("hunter2-and-more-of-it")
    env = project.env | {"TOKEN_FILE": str(file)}
    args = ["trigger", "work", "--token", f"file:{file}", "--how", how]
    done = project.run(*args, env=env, expect=code)
    assert "hunter2" not in done.err
    assert "it is **********\n" in done.err  # that of the thread is what on_failure prints
    refused = "sh was called outside of a step, where every attempt would call it again"
    assert (refused in done.err) == (how == "thread")


def test_programs_of_no_run_are_marked_by_their_process_and_no_other_one() -> None:
    def mark() -> str:
        return sh("echo $DURABLY_PROGRAM").stdout.rpartition("/")[0]

    assert mark() == mark()
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(theirs, mark().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    forks = os.read(ours, 1_000).decode()
    in_memory = [Step().sh("x", "echo $DURABLY_PROGRAM").stdout for _ in range(2)]
    assert len({mark(), forks, *in_memory}) == 4
    assert forks.startswith(f"process-{pid}-")
    for fd in (ours, theirs):
        os.close(fd)


def test_a_file_that_takes_no_more_is_named(project: Project) -> None:
    project.job(
        """
        import resource, signal

        @define_job
        def work(step: Step, payload: dict[str, int]) -> None:
            step.sh("first", ["true"])
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
            step.sh("large", ["seq", "100000"])
        """
    )
    failed = project.run("trigger", "work", expect=None)
    assert failed.code
    assert f"[Errno 27] File too large: '{project.data}" in failed.err
    assert ".programs/1.stdout'" in failed.err


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "shown"),
    [
        (Terminal, "\x1b[1;31mred\x1b[0m\t\\x1b]0;title\\x07 \\x1b[2J\n100%\n\\u202e\n"),
        (io.StringIO, "\\x1b[1;31mred\\x1b[0m\t\\x1b]0;title\\x07 \\x1b[2J\n100%\n\\u202e\n"),
    ],
)
def test_nothing_of_it_steers_a_terminal_but_its_colours(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], shown: str
) -> None:
    printed = "\x1b[1;31mred\x1b[0m\t\x1b]0;title\x07 \x1b[2J\n10%\r100%\r\n\u202e\n"
    monkeypatch.setattr(sys, "stderr", stream())
    assert sh(["cat"], input=printed).stdout == printed
    assert sys.stderr.getvalue() == shown  # type: ignore[attr-defined]


def test_the_logs_of_an_attempt_take_so_many_lines_of_all_programs() -> None:
    log = MemoryLog()
    step = Step({}, log.append)
    for n in range(12):
        step.sh(f"{n}", "seq 900")
    messages = [each.message for each in log.events if isinstance(each, LogWritten)]
    assert len(messages) == 10_001
    assert messages[-1] == "programs print more than the logs of an attempt take"
