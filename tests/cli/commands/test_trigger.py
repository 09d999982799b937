"""`durably trigger` as a process: what it runs, prints and refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.quick import some_quick

GREET = """
    class Greeting(BaseModel):
        name: str
        times: int = 1

    @define_job(input=Greeting)
    def greet(step: Step, payload: Greeting) -> list[str]:
        line = f"hello {payload.name}"
        return [step.run(f"greet-{n}", effect, line) for n in range(payload.times)]
"""


@pytest.fixture
def greet(project: Project) -> Project:
    project.job(GREET, "greet")
    return project


def test_it_runs_the_job_and_prints_its_output_as_json(greet: Project) -> None:
    result = greet.run("trigger", "greet", "--input", '{"name": "Ann", "times": 2}')
    assert result.out == '["hello Ann","hello Ann"]\n'
    assert greet.effects == ["hello Ann", "hello Ann"]
    assert "2 steps run" in result.err


@pytest.mark.parametrize(
    ("args", "stdin", "expected"),
    [
        (("-i", '{"name": "Ann"}'), None, ["hello Ann"]),
        (("-i", "-"), '{"name": "Ann"}', ["hello Ann"]),
        (("-i", "-"), '\ufeff{"name": "Ann"}', ["hello Ann"]),
        (("-i", "@input.json"), None, ["hello File"]),
        (("-p", "name=Ann"), None, ["hello Ann"]),
        (("-p", "name=a=b:=c"), None, ["hello a=b:=c"]),
        (("-i", '{"name": "Ann"}', "-p", "times:=2"), None, ["hello Ann", "hello Ann"]),
        (("-i", '{"name": "Ann"}', "-p", "name=Bob"), None, ["hello Bob"]),
    ],
)
def test_the_input_comes_from_json_a_file_stdin_or_fields(
    greet: Project, args: tuple[str, ...], stdin: str | None, expected: list[str]
) -> None:
    (greet.root / "input.json").write_text('{"name": "File"}')
    assert json.loads(greet.run("trigger", "greet", *args, input=stdin).out) == expected


def test_no_input_means_an_empty_object(project: Project) -> None:
    project.job("@define_job\ndef echo(step: Step, payload: dict) -> dict:\n    return payload\n")
    assert project.run("trigger", "echo").out == "{}\n"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("-i", '{"name": "Ann"'), 65, ["line 1, column 15", '{"name": "Ann"', "^"]),
        (("-i", '{"name": "A",\n "times": }'), 65, ["line 2, column 11"]),
        (("-i", '{"times": NaN}'), 65, ["NaN is not JSON"]),
        (("-i", '{"name": "\\ud800"}'), 65, ["lone surrogate"]),
        (("-i", '{"name": "A", "name": "B"}'), 65, ["'name' is given twice"]),
        (("-i", '{"times": "x", "name": 5}'), 65, ["  times: ", "  name: "]),
        (("-i", "[1]"), 65, ["an object"]),
        ((), 65, ["  name: Field required"]),
        (("-i", "@missing.json"), 2, ["missing.json", "No such file"]),
        (("-p", "name"), 2, ["key=text or key:=json"]),
        (("-p", "times:=x"), 65, ["-p times is not JSON"]),
        (("-i", "[1]", "-p", "name=x"), 2, ["no JSON object"]),
        (("-p", "name=x", "--label", "team"), 2, ["key=value"]),
        (("-p", "name=x", "--idempotency-key", ""), 2, ["the idempotency key must be a text"]),
        (("-p", "name=x", "--on-conflict", "maybe"), 2, ["'wait', 'skip', 'fail'"]),
    ],
)
def test_bad_input_is_one_clear_error_and_makes_no_run(
    greet: Project, args: tuple[str, ...], code: int, said: list[str]
) -> None:
    result = greet.run("trigger", "greet", *args, expect=code)
    assert all(text in result.err for text in said), result
    assert result.out == ""
    assert "Traceback" not in result.err
    assert greet.runs() == []


def test_stdin_that_is_a_terminal_is_not_waited_for(greet: Project) -> None:
    master, terminal = os.openpty()
    result = greet.run("trigger", "greet", "-i", "-", stdin=terminal, expect=2)
    assert "stdin is a terminal" in result.err
    os.close(master)
    os.close(terminal)


def test_an_unknown_job_is_told_the_nearest_names(greet: Project) -> None:
    result = greet.run("trigger", "gret", expect=4)
    assert "did you mean greet?" in result.err
    assert "durably jobs greet" in result.err
    assert greet.runs() == []


def test_a_broken_module_is_told_with_file_and_line_and_hides_no_other_job(greet: Project) -> None:
    broken = greet.job("import nothing_of_that_name\n", "broken")
    line = len(broken.read_text().splitlines())
    result = greet.run("trigger", "broken", expect=78)
    assert f"{broken}:{line} does not import" in result.err
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in result.err
    assert "pip install nothing_of_that_name" in result.err
    assert "durably_cli/" not in result.err
    greet.run("trigger", "greet", "-p", "name=Ann")
    greet.job("x = (\n", "worse")
    assert "SyntaxError" in greet.run("trigger", "worse", expect=78).err


def test_a_failed_job_shows_the_users_frames_alone_and_how_to_go_on(project: Project) -> None:
    project.job(
        """
        @define_job
        def fragile(step: Step, payload: dict) -> str:
            step.run("fine", effect, "fine")
            return step.run("broken", explode)

        def explode() -> str:
            if not os.path.exists("mended"):
                raise RuntimeError("no such luck")
            return "mended"
        """
    )
    result = project.run("trigger", "fragile", expect=1)
    assert result.out == ""
    assert "RuntimeError: no such luck" in result.err
    assert "in explode" in result.err
    assert "durably_cli" not in result.err
    run = project.runs()[0]
    assert run["status"] == "failed"
    assert run["reason"] == "broken: RuntimeError: no such luck"
    assert f"durably resume {run['id'][-8:]}" in result.err

    (project.root / "mended").touch()
    resumed = project.run("resume", "@failed")
    assert resumed.out == '"mended"\n'
    assert "1 step replayed, which saved" in resumed.err
    assert project.effects == ["fine"]


@pytest.mark.parametrize("leave", ["exit(0)", "sys.exit()", "raise SystemExit(3)"])
def test_leaving_is_a_failure_never_a_success(project: Project, leave: str) -> None:
    project.job(f"@define_job\ndef leaver(step: Step, payload: dict) -> None:\n    {leave}\n")
    project.run("trigger", "leaver", expect=1)
    assert project.runs()[0]["status"] == "failed"


def test_what_a_job_and_its_children_print_goes_to_stderr(project: Project) -> None:
    project.job(
        """
        import subprocess

        @define_job
        def loud(step: Step, payload: dict) -> str:
            print("printed")
            subprocess.run(["echo", "by a child"])
            os.write(1, b"by hand\\n")
            return "quiet"
        """
    )
    result = project.run("trigger", "loud")
    assert result.out == '"quiet"\n'
    assert [word for word in ("printed", "by a child", "by hand") if word in result.err] == [
        "printed",
        "by a child",
        "by hand",
    ]


def test_closing_stdout_or_stderr_early_fails_no_run(project: Project) -> None:
    project.job(
        """
        @define_job
        def loud(step: Step, payload: dict) -> str:
            for n in range(2000):
                print("x" * 100)
                step.log.info("y" * 100)
            return "z" * 100_000
        """
    )
    read, write = os.pipe()
    with project.start("trigger", "loud", stdout=write, stderr=write) as process:
        os.close(write)
        os.close(read)
        assert process.wait(60) == 0
    assert project.runs()[0]["status"] == "completed"


@pytest.mark.parametrize(
    "streams",
    some_quick(
        [
            *("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", "| head -c 0"),
            *("2>&1 | head -c 0", "2>&1 >&- | head -c 0"),
        ],
        4,
    ),
)
def test_a_stream_that_nobody_reads_fails_no_run_and_never_becomes_the_journal(
    project: Project, streams: str
) -> None:
    project.job(
        """
        @define_job
        def loud(step: Step, payload: dict) -> list[str]:
            return [step.run(f"step-{n}", say, n) for n in range(30)]

        def say(n: int) -> str:
            print("x" * 5000)
            effect(f"said {n}")
            return "z" * 5000
        """
    )
    subprocess.run(
        ["sh", "-c", f'{{ "$0" -m durably_cli trigger loud; echo $? >code; }} {streams}']
        + [sys.executable],
        cwd=project.root,
        env=project.env,
        capture_output=True,
    )
    assert (project.root / "code").read_text() == "0\n"
    assert project.inspect()["output"] == ["z" * 5000] * 30
    assert project.effects == [f"said {n}" for n in range(30)], "each step once, read or not"


def test_json_is_one_document_for_a_run_that_failed_too(project: Project) -> None:
    project.job(
        "@define_job\ndef bad(step: Step, payload: dict) -> None:\n    raise ValueError(1)\n"
    )
    document = json.loads(project.run("trigger", "bad", "--json", expect=1).out)
    assert document["schema"] == 1
    assert document["run"]["status"] == "failed"
    assert document["run"]["error"]["type"] == "ValueError"
    assert document["run"]["disposition"] == "created"


def test_a_jobs_own_logging_shows_as_in_any_program(project: Project) -> None:
    project.job(
        """
        import logging
        logging.basicConfig(level=logging.INFO, format="%(levelname)s/%(name)s/%(message)s")

        @define_job
        def logs(step: Step, payload: dict) -> None:
            logging.getLogger("mine").info("from the job")
            step.log.warn("from the step", n=1)
        """
    )
    err = project.run("trigger", "logs").err
    assert "INFO/mine/from the job" in err
    assert err.count("from the step") == 1
    assert "WARNING/durably/from the step n=1" in err


SET_UP = {
    "none": "",
    "a root handler of warnings": "logging.warning('root')",
    "of all": "logging.basicConfig(level=logging.INFO)",
    "on stdout": "logging.basicConfig(stream=sys.stdout, level=logging.INFO)",
    "of errors": "logging.basicConfig(level=0); logging.root.handlers[0].setLevel(40)",
    "a file": "logging.basicConfig(filename=os.devnull, level=0)",
    "a list": "logging.root.addHandler(BufferingHandler(99)); logging.root.setLevel(0)",
    "others only": "logging.basicConfig(level=0); "
    "logging.root.handlers[0].addFilter(logging.Filter('mine'))",
    "a handler of its own": "own.addHandler(logging.StreamHandler()); own.setLevel(20)",
    "no way up": "logging.basicConfig(level=0); own.propagate = False",
    "disabled": "logging.basicConfig(level=0); own.disabled = True",
    "off": "logging.basicConfig(level=0); logging.disable()",
    "of rich": "from rich.logging import RichHandler; "
    "logging.basicConfig(level=0, handlers=[RichHandler()])",
}


@pytest.mark.parametrize("options", [(), ("--detach-after", "20s")])
def test_a_line_of_step_log_is_shown_once_whatever_is_set_up(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        f"""
        import logging
        from logging.handlers import BufferingHandler

        own = logging.getLogger("durably")

        @define_job
        def logs(step: Step, payload: dict) -> None:
            for name, code in {SET_UP!r}.items():
                exec(code)
                step.log.info(f"info, {{name}}")
                step.log.warning(f"warning, {{name}}")
                own.handlers.clear(); own.setLevel(0); own.propagate, own.disabled = True, False
                logging.root.handlers.clear(); logging.root.setLevel(30); logging.disable(0)
        """
    )
    err = project.run("trigger", "logs", *options).err
    for name in SET_UP:
        for level in ("info", "warning"):
            assert err.count(f"{level}, {name}\n") + err.count(f"{level}, {name} ") == 1, name


@pytest.mark.long
def test_plain_progress_stays_short_for_many_steps(project: Project) -> None:
    project.job(
        """
        @define_job
        def many(step: Step, payload: dict) -> None:
            for n in range(3000):
                step.progress(n, 3000)
                step.run(f"step-{n}", int)
        """
    )
    err = project.run("trigger", "many").err
    assert len(err.splitlines()) < 60
    assert "2,000 steps completed" in err


def test_output_has_no_control_bytes_whatever_the_job_returns(project: Project) -> None:
    project.job(
        """
        @define_job
        def nasty(step: Step, payload: dict) -> str:
            step.log.info("\\x1b[31mred\\x07 [bold]", data="\\u202e")
            step.run("\\x1b]0;title\\x07", len, "abc")
            raise ValueError("\\x1b[2J\\u202e")
        """
    )
    result = project.run("trigger", "nasty", expect=1)
    for run in ("inspect", "@last"), ("list",), ("inspect", "@last", "--json"), ("list", "--json"):
        shown = project.run(*run)
        assert all(c.isprintable() or c in "\n\t" for c in shown.out + shown.err)
    assert all(c.isprintable() or c in "\n\t" for c in result.out + result.err)


def test_a_default_of_the_moment_is_the_same_in_every_attempt(project: Project) -> None:
    project.job(
        """
        import uuid
        from pydantic import Field

        class Input(BaseModel):
            token: str = Field(default_factory=lambda: uuid.uuid4().hex)

        @define_job
        def stamp(step: Step, payload: Input) -> str:
            effect(payload.token)
            if step.attempt == 1:
                raise RuntimeError
            return payload.token
        """
    )
    project.run("trigger", "stamp", expect=1)
    project.run("resume", "@last")
    assert len(set(project.effects)) == 1
    assert len(project.effects) == 2


def test_it_leaves_nothing_in_the_project(greet: Project) -> None:
    before = sorted(greet.root.rglob("*"))
    greet.run("trigger", "greet", "-p", "name=Ann")
    greet.run("list")
    assert sorted(greet.root.rglob("*")) == before


def test_its_folders_and_files_are_private_whatever_the_umask(greet: Project) -> None:
    old = os.umask(0)
    try:
        args = ("--idempotency-key", "k", "--concurrency-key", "c")
        greet.run("trigger", "greet", "-p", "name=Ann", *args)
    finally:
        os.umask(old)
    for path in (greet.data, *greet.data.rglob("*")):
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_job_module_may_have_the_name_of_a_standard_one(project: Project) -> None:
    project.job(
        "@define_job\ndef json(step: Step, payload: dict) -> str:\n    return 'mine'\n", "json"
    )
    assert project.run("trigger", "json").out == '"mine"\n'


def test_two_jobs_of_one_name_are_an_error_that_names_both_files(project: Project) -> None:
    text = "@define_job(name='same')\ndef same(step: Step, payload: dict) -> None: ...\n"
    one, two = project.job(text, "one"), project.job(text, "two")
    result = project.run("trigger", "same", expect=78)
    assert str(one) in result.err
    assert str(two) in result.err


def test_an_async_handler_is_refused_with_its_file_and_line(project: Project) -> None:
    path = project.job(
        "@define_job\nasync def later(step: Step, payload: dict) -> None: ...\n", "later"
    )
    result = project.run("trigger", "later", expect=78)
    assert "the handler of later is async" in result.err
    assert str(path) in result.err


def test_a_job_triggers_another_from_a_step(project: Project) -> None:
    project.job(
        "@define_job\ndef inner(step: Step, payload: int) -> int:\n    return payload + 1\n",
        "inner",
    )
    project.job(
        """
        from jobs.inner import inner

        @define_job
        def outer(step: Step, payload: dict) -> int:
            return step.run("inner", lambda: inner.trigger(41).output)
        """,
        "outer",
    )
    assert project.run("trigger", "outer").out == "42\n"
    assert [run["job"] for run in project.runs()] == ["inner", "outer"]


@pytest.mark.parametrize("key", ["idempotency_key", "concurrency_key"])
def test_a_step_that_waits_for_its_own_run_is_an_error_at_once(project: Project, key: str) -> None:
    project.job(
        f"""
        @define_job
        def again(step: Step, payload: dict) -> str:
            return step.run("again", lambda: again.trigger({{}}, {key}="k").output)
        """,
        "again",
    )
    result = project.run("trigger", "again", f"--{key.replace('_', '-')}", "k", expect=1)
    assert "this very process" in result.err


def test_misuse_in_a_thread_fails_the_run_although_the_thread_swallows_it(project: Project) -> None:
    project.job(
        """
        import threading

        @define_job
        def threaded(step: Step, payload: dict) -> str:
            step.run("one", effect, "one")
            thread = threading.Thread(target=lambda: step.run("one", effect, "one"))
            thread.start()
            thread.join()
            return "all is well"
        """
    )
    assert "is used twice" in project.run("trigger", "threaded", expect=1).err
    assert project.effects == ["one"]


def test_threads_that_keep_the_process_alive_are_told(project: Project) -> None:
    project.job(
        """
        import threading

        @define_job
        def leaves(step: Step, payload: dict) -> str:
            threading.Thread(target=time.sleep, args=(0.5,)).start()
            return "done"
        """
    )
    result = project.run("trigger", "leaves")
    assert result.out == '"done"\n'
    assert "the job left 1 thread running" in result.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_the_encoding_of_the_output_lacks_is_spelled_out(
    project: Project, encoding: str
) -> None:
    project.job(
        """
        @define_job
        def greet(step: Step, payload: dict) -> str:
            print("printed \\N{SNOWMAN}")
            return step.run("\\N{SNOWMAN}", lambda: "\\N{SNOWMAN}")
        """
    )
    env = project.env | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    project.run("trigger", "greet", env=env)
    shown = project.run("inspect", "@last", env=env).out
    assert ("\N{SNOWMAN}" if encoding == "utf-8" else "\\u2603") in shown


@pytest.mark.parametrize("args", [(), ("--help",), ("--version",), ("trigger", "--help")])
def test_help_on_a_full_disk_is_an_error_and_no_traceback(
    project: Project, args: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:
        result = project.run(*args, stdout=full, expect=None)
    assert "Traceback" not in result.err
    assert result.code == 74 or not args


def test_a_disk_that_fills_up_in_a_step_ends_the_attempt_and_loses_nothing(
    project: Project,
) -> None:
    project.job(
        """
        import resource, signal

        @define_job
        def filler(step: Step, payload: dict) -> str:
            step.run("one", effect, "one")
            if step.attempt == 1:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
            return step.run("two", lambda: "x" * 3000)[:3]
        """
    )
    result = project.run("trigger", "filler", expect=74)
    assert "File too large; the result of step 'two' was not saved" in result.err
    assert f"durably resume {project.runs()[0]['id'][-8:]}" in result.err
    assert project.runs()[0]["status"] == "interrupted"
    assert project.run("resume", "@last").out == '"xxx"\n'
    assert project.effects == ["one"]


@pytest.mark.parametrize("change", ["unlink()", "write_text('')", "open('a').write(' ')"])
def test_a_journal_that_is_lost_or_changed_during_a_run_ends_it(
    project: Project, change: str
) -> None:
    project.job(
        f"""
        import pathlib

        @define_job
        def loser(step: Step, payload: dict) -> str:
            (journal,) = pathlib.Path(os.environ["DURABLY_DATA_DIR"]).rglob("*.jsonl")
            step.run("one", lambda: journal.{change} and None)
            return step.run("two", effect, "two")
        """
    )
    result = project.run("trigger", "loser", expect=74)
    assert "by another program while the run executed" in result.err
    assert "Traceback" not in result.err
    assert project.effects == []


def test_the_data_folder_that_was_looked_in_is_named(greet: Project) -> None:
    greet.run("trigger", "greet", "-p", "name=Ann")
    elsewhere = greet.env | {"DURABLY_DATA_DIR": str(greet.data.parent / "other")}
    result = greet.run("inspect", "@last", env=elsewhere, expect=4)
    assert str(Path(elsewhere["DURABLY_DATA_DIR"])) in result.err


ODD_STREAMS = """
    import types

    class Refusing:
        def flush(self):
            raise SystemExit(3)

        def write(self, text):
            return len(text)

    def spoil():
        {deed}

    class Input(BaseModel):
        n: int = 0

    if os.environ["WHEN"] == "import":
        spoil()

    @define_job
    def odd(step: Step, payload: Input) -> int:
        if os.environ["WHEN"] == "run":
            spoil()
        return step.run("n", int, payload.n)
"""


@pytest.mark.parametrize("when", ["import", "run"])
@pytest.mark.parametrize(
    "deed",
    [
        "del sys.stdout, sys.stderr",
        "sys.stdout = sys.stderr = None",
        "sys.stdout = Refusing()",
        "sys.stderr = Refusing()",
        "sys.modules[__name__] = types.SimpleNamespace(__dict__={})",
        "del sys.modules[__name__]",
        "del sys.executable",
    ],
)
def test_what_a_job_does_to_its_streams_and_its_module_fails_no_run(
    project: Project, deed: str, when: str
) -> None:
    project.job(ODD_STREAMS.replace("{deed}", deed), "odd")
    env = project.env | {"WHEN": when}
    done = project.run("trigger", "odd", "--n", "2", env=env)
    assert done.out == "2\n", done
    assert "Traceback" not in done.err
    again = project.run("trigger", "odd", "-q", env=env)
    assert (again.out, again.err) == ("", ""), again


FLAKY = """
    @define_job
    def flaky(step: Step, payload: dict) -> int:
        effect("try")
        return step.run("one", lambda: 1 // (step.attempt - 1))
"""


def test_a_failure_of_before_is_said_to_be_one_and_retried_only_if_that_is_asked_for(
    project: Project,
) -> None:
    project.job(FLAKY, "flaky")
    keyed = ("trigger", "flaky", "--idempotency-key", "today")
    project.run(*keyed, expect=1)
    again = project.run(*keyed, expect=1)
    assert re.search(
        r"failed before in step one, at 2\S+ \S+Z, after 1 attempt; nothing was", again.err
    )
    mailed = project.run(*keyed, "-q", expect=1).err
    assert "of flaky failed before in step one" in mailed
    assert re.search(r"  ended    at 2\S+ \S+Z, after 1 attempt; nothing was executed now", mailed)
    assert len(project.effects) == 1
    assert project.run(*keyed, "--retry-failed").out == "1\n"
    assert project.run(*keyed, "--retry-failed").out == "1\n"
    assert len(project.effects) == 2


def test_a_run_that_fails_while_it_is_waited_for_is_not_retried(project: Project) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step, payload: dict) -> None:
            effect("try")
            while not os.path.exists("go"):
                time.sleep(0.01)
            raise RuntimeError("no")
        """,
        "slow",
    )
    keyed = ("trigger", "slow", "--idempotency-key", "today", "--retry-failed")
    with project.start(*keyed) as first:
        project.wait_for_effects()
        with project.start(*keyed) as second:
            assert second.stderr is not None
            assert "waiting for run" in second.stderr.readline()
            (project.root / "go").touch()
            assert (first.wait(), second.wait()) == (1, 1)
    assert project.effects == ["try"]
