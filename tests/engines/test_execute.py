"""Executing a run: what ends an attempt, and in which process."""

from __future__ import annotations

import pytest

from tests.conftest import BIN, Project

FORKING = """
@define_job
def forking(step: Step, payload: dict) -> int:
    pid = os.fork()
    if not pid:
        {child}
    return step.run("wait", os.waitstatus_to_exitcode, os.waitpid(pid, 0)[1])
"""


@pytest.mark.parametrize(
    ("child", "code", "said"),
    [
        ("return 7", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('bye')", 1, "bye"),
        ("raise ValueError('in the child')", 1, "ValueError: in the child"),
    ],
)
def test_a_child_that_leaves_the_handler_ends_as_one_of_any_program(
    project: Project, child: str, code: int, said: str
) -> None:
    project.job(FORKING.format(child=child))
    done = project.run("trigger", "forking")
    assert done.out == f"{code}\n"
    assert said in done.err
    assert done.err.count("resume") == 0
    assert project.run("verify").out.count("\tok\t") == 1


@pytest.mark.parametrize(
    ("child", "code", "said"),
    [("sys.exit(3)", 3, ""), ("raise ValueError('in the child')", 1, "ValueError: in the child")],
)
def test_a_child_that_leaves_the_function_of_a_step_ends_as_one_of_any_program(
    project: Project, child: str, code: int, said: str
) -> None:
    project.job(
        f"""
        @define_job
        def forking(step: Step, payload: dict) -> int:
            return step.run("fork", fork)

        def fork() -> int:
            pid = os.fork()
            if not pid:
                {child}
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        """
    )
    done = project.run("trigger", "forking")
    assert done.out == f"{code}\n"
    assert said in done.err
    assert "JournalLost" not in done.err
    assert project.run("verify").out.count("\tok\t") == 1


@pytest.mark.parametrize("act", ["del sys.stdout", "sys.stdout = Odd()"])
def test_a_job_may_do_anything_to_its_stdout(project: Project, act: str) -> None:
    project.job(
        f"""
        class Odd:
            def write(self, text): return len(text)
            def flush(self): raise SystemExit(9)

        @define_job
        def odd(step: Step, payload: dict) -> int:
            {act}
            return 1
        """
    )
    done = project.run("trigger", "odd")
    assert done.out == "1\n"
    assert "Traceback" not in done.err


def test_a_lost_result_that_the_handler_swallows_ends_the_attempt_all_the_same(
    project: Project,
) -> None:
    project.job(
        """
        @define_job
        def swallows(step: Step, payload: dict) -> int:
            try:
                step.run("large", str, "x" * 100_000)
            except BaseException:
                return 1
            raise ValueError("to be resumed")
        """
    )
    project.run("trigger", "swallows", expect=1)
    (blob,) = project.journal().with_suffix(".blobs").iterdir()
    blob.write_bytes(blob.read_bytes().replace(b"x", b"y"))
    lost = project.run("resume", "@last", expect=74)
    assert "the result of step 'large' cannot be replayed" in lost.err
    assert project.runs()[0]["status"] != "completed"


@pytest.mark.parametrize(("asks", "code"), [("TERM", 143), ("cancel", 3)])
def test_what_ends_an_attempt_before_it_has_begun_changes_nothing_of_the_one_before(
    project: Project, asks: str, code: int
) -> None:
    project.job(
        """
        import subprocess
        from durably_cli.engines import execute

        begin = execute._started

        def late(run, attempt, source):
            if attempt == 2 and os.environ["ASKS"] == "TERM":
                os.kill(os.getpid(), 15)
            elif attempt == 2:
                subprocess.Popen(["durably", "cancel", run.run_id], stderr=subprocess.DEVNULL)
                while run.stop.cause is None:
                    time.sleep(0.01)
            return begin(run, attempt, source)

        execute._started = late

        @define_job
        def work(step: Step, payload: dict) -> None:
            raise ValueError
        """
    )
    project.env["ASKS"] = asks
    project.env["PATH"] = f"{BIN}:{project.env['PATH']}"
    project.run("trigger", "work", expect=1)
    (before,) = project.inspect()["attempts"]
    project.run("resume", "@last", expect=code)
    assert project.inspect()["attempts"][0] == before
