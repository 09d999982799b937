"""What a job and its programs print, off a terminal, is in the run's logs as well."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Project

PRINTS = """
import logging, subprocess, threading, warnings
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
    thread = threading.Thread(target=print, args=("unended",), kwargs={"end": ""})
    thread.start()
    thread.join()
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
        from durably_cli.cli import printed_lines as printed
        from durably_cli.steps import capture
        capture.LINES, printed.LONGEST_LINE, printed.BYTES = 3, 5, 1000

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


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_threads_that_print_and_log_at_once_lose_and_double_nothing(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        """
        import logging, threading

        LINES, log = range(400), logging.getLogger("a")
        SAYS = {
            "out": lambda n: print(f"out-{n}-end"),
            "also": lambda n: print(f"also-{n}-end"),
            "err": lambda n: print(f"err-{n}-end", file=sys.stderr),
            "log": lambda n: log.warning("log-%d-end", n),
        }

        def says_all(say):
            for n in LINES:
                say(n)

        @define_job
        def at_once(step: Step) -> None:
            sys.setswitchinterval(1e-5)
            threads = [threading.Thread(target=says_all, args=(say,)) for say in SAYS.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        """
    )
    seen = project.run("trigger", "at-once", *options).err
    logged = map(json.loads, project.run("logs", "@last", "--json").out.splitlines())
    all_once = {f"{what}-{n}-end": 1 for what in ("out", "also", "err", "log") for n in range(400)}
    assert Counter(line["message"] for line in logged) == all_once
    if not options:
        assert Counter(line for line in seen.splitlines() if line.endswith("-end")) == all_once


def test_a_log_line_is_there_once_though_another_thread_prints_between_it_and_its_note(
    project: Project,
) -> None:
    project.job(
        """
        import logging, threading
        from durably_cli.cli.printed import SpoolOfJob

        size, begun, thread = SpoolOfJob.size, threading.Event(), None

        def size_late(spool):
            if threading.current_thread() is thread:
                begun.set()
                time.sleep(0.05)  # in which the handler would print, if it could
            return size(spool)

        SpoolOfJob.size = size_late

        @define_job
        def prints(step: Step) -> None:
            global thread
            thread = threading.Thread(target=logging.warning, args=("once",))
            thread.start()
            begun.wait()
            print("meanwhile")
            thread.join()
        """
    )
    project.run("trigger", "prints", "-q")
    logged = map(json.loads, project.run("logs", "@last", "--json").out.splitlines())
    assert {(line["source"], line["message"]) for line in logged} == {
        ("root", "once"),
        ("stdout", "meanwhile"),
    }


@pytest.mark.parametrize("options", [("-q",), ("--detach-after", "1h")])
def test_a_program_that_cuts_its_stderr_keeps_nobody_waiting(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        """
        import subprocess, threading
        from durably_cli.cli.printed import SpoolOfJob

        size, seen, is_cut = SpoolOfJob.size, [], threading.Event()

        def size_before_the_cut(spool):
            found = size(spool)
            if found and threading.current_thread() is not threading.main_thread():
                if seen:
                    is_cut.set()
                else:
                    subprocess.run("echo cut > /dev/stderr", shell=True)
                seen.append(found)
            return found

        SpoolOfJob.size = size_before_the_cut

        @define_job
        def cuts(step: Step) -> int:
            os.write(1, b"before " * 1000)
            is_cut.wait()
            return 1
        """
    )
    project.run("trigger", "cuts", *options)
    assert printed(project)[0][2] == "cut"


def test_a_reader_that_takes_a_part_at_a_time_gets_all_and_so_do_the_logs(project: Project) -> None:
    project.job(
        """
        @define_job
        def prints(step: Step) -> None:
            effect("begins")
            print("\\n".join(f"{n}:".ljust(999, "x") for n in range(300)))
        """
    )
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with open(ours, "rb") as reader, project.start("trigger", "prints", stderr=theirs) as process:
        os.close(theirs)
        project.wait_for_effects()
        seen = reader.read().decode().splitlines()
        process.result()
    lines = [f"{n}:".ljust(999, "x") for n in range(300)]
    assert [line for line in seen if line.endswith("x")] == lines
    assert [line for _, _, line in printed(project)] == lines


def test_a_copy_for_the_logs_is_no_longer_than_they_take(project: Project) -> None:
    project.job(
        """
        from durably_cli.cli import printed_lines as printed
        printed.BYTES = 1000

        @define_job
        def prints(step: Step) -> None:
            for _ in range(3):
                print("x" * 9999)
        """
    )
    done = project.run("trigger", "prints")
    assert done.err.splitlines().count("x" * 9999) == 3, "it is seen whole"
    (only,) = printed(project)  # the line that the bound cuts could hold half a secret
    assert only[2] == "30.0 kB more were printed than the logs of a run take"


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_resume_logs_again_what_its_steps_print_and_not_what_its_handler_did(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        """
        import subprocess
        print("at the import")

        def says(step):
            print("in a step")
            if step.attempt == 1:
                raise ValueError

        @define_job
        def prints(step: Step) -> None:
            print("before")
            step.run("one", lambda: 1)
            print("between")
            subprocess.run(["echo", "by a program"])
            step.run("two", says, step)
            print("between")
        """
    )
    project.run("trigger", "prints", *options, expect=1)
    project.run("resume", "@last", *options)
    lines = ["at the import", "before", "between", "in a step", "in a step", "between"]
    found = printed(project)
    assert [line for source, _, line in found if source == "stdout"] == lines
    assert [line for source, _, line in found if source == "output"] == [
        "by a program" for _ in options
    ]


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_what_is_printed_while_it_is_looked_at_is_of_who_printed_it(
    project: Project, options: tuple[str, ...]
) -> None:
    project.job(
        """
        from durably_cli.cli import printed_lines as printed
        printed._PAUSE_SECONDS = 0.01

        @define_job
        def prints(step: Step) -> None:
            for n in range(6):
                print(n)
                time.sleep(0.015)
        """
    )
    project.run("trigger", "prints", *options)
    assert printed(project) == [("stdout", None, str(n)) for n in range(6)]


@pytest.mark.parametrize("has_threads", [True, False])
def test_a_forked_child_that_leaves_the_handler_logs_nothing_of_what_was_printed(
    project: Project, has_threads: bool
) -> None:
    project.job(
        f"""
        import threading

        def refuses(thread):
            raise RuntimeError("can't start new thread")

        if not {has_threads}:
            threading.Thread.start = refuses

        @define_job
        def forks(step: Step) -> int:
            print("before")
            if pid := os.fork():
                return os.waitpid(pid, 0)[1]
            print("in the child")
        """
    )
    assert project.run("trigger", "forks", "-q").err == ""
    assert printed(project)[0] == ("stdout", None, "before")
    assert sum(line == "before" for _, _, line in printed(project)) == 1


def test_what_is_printed_behind_the_end_is_not_on_stdout(project: Project) -> None:
    project.job(
        """
        import atexit
        import threading

        def late() -> None:
            time.sleep(0.3)
            print("a late thread")
            os.write(1, b"to the descriptor\\\\n")

        @define_job
        def work(step: Step, payload: dict[str, int]) -> int:
            atexit.register(print, "at exit")
            threading.Thread(target=late).start()
            return 1
        """
    )
    done = project.run("trigger", "work", "--json")
    assert json.loads(done.out)["run"]["output"] == 1
    assert "at exit" in done.err
    assert project.run("trigger", "work").out == "1\n"


def test_no_part_of_a_secret_is_what_the_bound_cuts_off(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        @define_job
        def work(step: Step, payload: Input) -> None:
            for _ in range(9):
                print("x" * 111_109)
            sys.stdout.write("y" * (1_000_000 - 9 * 111_110 - 8) + "hunter2-secret")
        """
    )
    project.env["TOKEN"] = "hunter2-secret"
    project.run("trigger", "work", "--token", "env:TOKEN")
    logs = project.run("logs", "@last").out
    assert "hunter2" not in logs
    assert "more were printed" in logs
