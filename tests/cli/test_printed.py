"""What a job and its programs print, off a terminal, is in the run's logs as well."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.conftest import Project

PRINTS = """
import logging, subprocess, warnings
from durably_cli import Secret

print("at the import")

class Input(BaseModel):
    token: Secret | None = None

def loud(n, token):
    print("out", n)
    print("err", n, token, file=sys.stderr)
    print("x" * 3990 + token)
    print("10%\\r 50%\\r100%\\n\\n")
    logging.getLogger("a").warning("once")
    warnings.warn("once as well")
    subprocess.run("echo by a program; echo on its stderr >&2", shell=True)

@define_job
def prints(step: Step, payload: Input) -> int:
    print("before")
    token = payload.token.get_secret_value() if payload.token else ""
    for n in range(2):
        step.run(f"one-{n}", loud, n, token)
    step.log.info("mine")
    print("unended", end="")
    return 1
"""


def printed(project: Project) -> list[tuple[str, str | None, str]]:
    """Source, step and text of what the last run has printed."""
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in project.run("logs", "@last", "--json").out.splitlines()
    ]
    assert all(line["level"] in ("info", "warn") for line in lines)
    sources = ("stdout", "stderr", "output")
    return [(x["source"], x["step"], x["message"]) for x in lines if x["source"] in sources]


@pytest.mark.parametrize("options", [(), ("-q",), ("--json",)])
def test_it_is_logged_by_step_and_masked_and_goes_where_it_went(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(PRINTS)
    env = project.env | {"TOKEN": "hunter2hunter2"}
    done = project.run("trigger", "prints", "-p", "token=env:TOKEN", *options, env=env)
    if options == ("--json",):
        assert json.loads(done.out)["run"]["output"] == 1
    else:
        assert done.out == ("" if options else "1\n")
    if options == ("-q",):
        assert done.err == ""
    else:
        inside = done.err.partition("step one-0")[0].splitlines()
        assert inside[0] == "at the import"
        assert inside[2:5] == ["before", "out 0", "err 0 hunter2hunter2"]
        assert inside[-2:] == ["by a program", "on its stderr"]
        assert done.err.splitlines()[-2] == "unended"
    found = printed(project)
    by_programs = [(s, step, line) for s, step, line in found if s == "output"]
    python = [(s, step, line) for s, step, line in found if s != "output"]
    in_steps = [
        each
        for n in range(2)
        for each in (
            ("stdout", f"one-{n}", f"out {n}"),
            ("stderr", f"one-{n}", f"err {n} **********"),
            ("stdout", f"one-{n}", "x" * 3990 + "**********"),
            ("stdout", f"one-{n}", "100%"),
        )
    ]
    start = [("stdout", None, "at the import"), ("stdout", None, "before")]
    assert python == [*start, *in_steps, ("stdout", None, "unended")]
    if options == ("-q",):
        assert by_programs == [
            ("output", f"one-{n}", line)
            for n in range(2)
            for line in ("by a program", "on its stderr")
        ]


def test_a_terminal_shows_it_and_no_log_has_it(project: Project) -> None:
    project.job(PRINTS)
    ours, theirs = os.openpty()
    with open(ours, "rb"), open(theirs, "wb") as terminal:
        project.run("trigger", "prints", stderr=terminal)
    assert printed(project) == []


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_it_has_the_time_and_the_step_in_which_it_was_printed(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        """
        def says(n, step):
            step.log.info("before")
            print("printed", n)
            step.log.info("behind")

        @define_job
        def prints(step: Step, payload: dict) -> None:
            for n in range(100):
                step.run(f"one-{n}", says, n, step)
        """
    )
    project.run("trigger", "prints", *options)
    lines = [json.loads(x) for x in project.run("logs", "@last", "--json").out.splitlines()]
    at = {(x["step"], x["message"]): x["at"] for x in lines}
    for n in range(100):
        of = f"one-{n}"
        assert at[of, "before"] <= at[of, f"printed {n}"] <= at[of, "behind"]


def test_what_children_print_in_python_is_logged_once(project: Project) -> None:
    project.job(
        """
        def forks():
            print("parent")
            child = os.fork()
            if not child:
                print("child")
                os._exit(0)
            os.waitpid(child, 0)

        @define_job
        def prints(step: Step, payload: dict) -> None:
            step.run("forks", forks)
        """
    )
    for options in ((), ("-q",)):
        project.run("trigger", "prints", *options)
        assert sorted(each[2] for each in printed(project)) == ["child", "parent"]


def test_more_than_the_logs_take_is_left_out_and_its_size_is_said(project: Project) -> None:
    project.job(
        """
        from durably_cli.cli import printed
        printed.LINES, printed.LONGEST_LINE, printed.BYTES = 3, 5, 1000

        @define_job
        def prints(step: Step, payload: dict) -> None:
            for n in range(5):
                print(f"line {n}")
            print(2000 * "x", flush=True)
            print("more")
        """
    )
    for options in ((), ("-q",)):
        project.run("trigger", "prints", *options)
        *lines, last = printed(project)
        assert lines == [("stdout", None, "line  ... 1 more characters") for _ in range(3)]
        assert last[2].endswith(" were printed than the logs of a run take")


def test_what_was_printed_before_a_kill_is_where_it_was_to_be_and_in_the_logs(
    project: Project,
) -> None:
    project.job(
        """
        @define_job
        def prints(step: Step, payload: dict) -> None:
            for n in range(3):
                print(n)
            effect("printed")
            while True:
                time.sleep(1)
        """
    )
    with project.start("trigger", "prints") as process:
        project.wait_for_effects()
        while len(printed(project)) < 3:
            pass
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert err.splitlines()[1:] == ["0", "1", "2"]


def test_two_attempts_of_one_process_log_a_line_once(project: Project) -> None:
    project.job(
        """
        def fails():
            raise ValueError(1)

        @define_job
        def twice(step: Step, payload: dict) -> None:
            print("attempt", step.attempt)
            try:
                step.run("one", fails)
            except ValueError:
                if step.attempt > 1:
                    raise
            step.run("two", lambda: None)
            os.kill(os.getpid(), 9)
        """
    )
    project.run("trigger", "twice", expect=-9)
    project.run("resume", "@last", expect=1)
    assert printed(project) == [("stdout", None, f"attempt {n}") for n in (2, 3)]


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_disk_without_a_place_for_it_keeps_nobody_from_an_output(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(PRINTS)
    args = ("trigger", "prints", "--idempotency-key", "k")
    project.run(*args)
    (temporary,) = project.data.glob("*/tmp")
    for path in temporary.iterdir():
        path.unlink()
    temporary.rmdir()
    temporary.touch()
    assert project.run(*args, *options).out == ("" if options else "1\n")
