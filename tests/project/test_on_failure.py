"""`on_failure` is called after each attempt that has failed, and changes nothing of it."""

from __future__ import annotations

import json

import pytest
from durably import define_job

from tests.conftest import Project

JOB = """
    class Input(BaseModel):
        how: str = "fails"

    def notice(run) -> None:
        step = ",".join(run.failed_steps)
        effect(f"{run.status} {run.attempts} {run.error.type} {step}")
        if os.path.exists("breaks"):
            raise LookupError("no mail server")

    def one(payload: Input) -> int:
        if payload.how == "fails" and not os.path.exists("mended"):
            raise ValueError("no")
        if payload.how == "dies":
            os.kill(os.getpid(), 9)
        if payload.how == "stopped":
            os.kill(os.getpid(), 15)
        return 1

    @define_job(on_failure=notice)
    def work(step: Step, payload: Input) -> int:
        return step.run("one", one, payload)
"""


def test_it_has_the_run_as_it_is_on_disk(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "work", expect=1)
    project.run("resume", "@last", expect=1)
    assert project.effects == ["failed 1 ValueError one", "failed 2 ValueError one"]
    (project.root / "mended").touch()
    project.run("resume", "@last")
    assert len(project.effects) == 2


@pytest.mark.parametrize(("how", "code"), [("completes", 0), ("dies", -9), ("stopped", 143)])
def test_only_a_failure_is_one(project: Project, how: str, code: int) -> None:
    project.job(JOB)
    project.run("trigger", "work", "--how", how, expect=code)
    assert project.effects == []


def test_its_own_failure_is_said_and_fails_nothing(project: Project) -> None:
    project.job(JOB)
    (project.root / "breaks").touch()
    failed = project.run("trigger", "work", expect=1)
    assert "LookupError: no mail server" in failed.err
    assert "has failed itself" in failed.err
    assert "ValueError: no" in failed.err
    last = json.loads(project.journal().read_text().splitlines()[-1])
    assert last["type"] == "run.failed"


@pytest.mark.parametrize(
    "does",
    [
        *("sys.exit(0)", "raise asyncio.CancelledError", "raise Odd", "os.fork()"),
        *("os.fork() or [][0]", "slow.trigger({})"),
    ],
)
def test_it_never_decides_how_the_command_ends(project: Project, does: str) -> None:
    project.job(
        f"""
        import asyncio

        class Odd(BaseException):
            pass

        @define_job(timeout=0.3)
        def slow(step: Step, payload: dict[str, int]) -> None:
            time.sleep(600)

        def notice(run) -> None:
            effect("called")
            {does}

        @define_job(on_failure=notice)
        def work(step: Step, payload: dict[str, int]) -> None:
            raise ValueError("the failure")
        """
    )
    failed = project.run("trigger", "work", expect=1)
    assert failed.err.count("ValueError: the failure") == 1
    assert "/durably_cli/" not in failed.err
    assert project.effects == ["called"]


@pytest.mark.parametrize("sleeps", ["time.sleep(600)", "swallows()"])
def test_one_that_hangs_is_ended_and_holds_nobody_up(project: Project, sleeps: str) -> None:
    project.job(
        f"""
        from durably_cli.engines import on_failure

        on_failure.SECONDS = 0.3  # a minute is too long for a test

        def swallows() -> None:
            try:
                time.sleep(600)
            except BaseException:
                effect("interrupted")

        def notice(run) -> None:
            effect("called")
            {sleeps}

        @define_job(on_failure=notice)
        def work(step: Step, payload: dict[str, int]) -> None:
            raise ValueError("the failure")
        """
    )
    failed = project.run("trigger", "work", expect=1)
    assert "took longer than 0.3 s, and was ended" in failed.err
    assert "ValueError: the failure" in failed.err
    assert project.effects == ["called", "interrupted"][: 1 + (sleeps == "swallows()")]
    assert project.run("cancel", "@last", expect=5).err.count("has failed, and is not cancelled")


def test_a_secret_in_its_own_error_is_masked(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        def notice(run) -> None:
            raise LookupError("no server for s3cr3t-value")

        @define_job(on_failure=notice)
        def work(step: Step, payload: Input) -> None:
            raise ValueError
        """
    )
    project.env["TOKEN"] = "s3cr3t-value"
    failed = project.run("trigger", "work", "--token", "env:TOKEN", expect=1)
    assert "no server for **********" in failed.err
    assert "s3cr3t" not in failed.err


def test_what_can_be_no_such_function_or_time_is_refused() -> None:
    with pytest.raises(TypeError, match="on_failure"):

        @define_job(on_failure="mail")
        def job(step: object) -> None: ...

    for timeout, said in ((-1, "negative"), (0, "no time"), ("soon", "reads 90s")):
        with pytest.raises(ValueError, match=f"the timeout of work: .*{said}"):

            @define_job(timeout=timeout)
            def work(step: object) -> None: ...


@pytest.mark.long
def test_an_attempt_that_takes_too_long_ends_and_can_be_resumed(project: Project) -> None:
    project.job(
        """
        def nap() -> str:
            effect("nap")
            time.sleep(600)

        @define_job(timeout="1s")
        def work(step: Step, payload: dict[str, int]) -> str:
            step.run("first", lambda: effect("first"))
            try:
                step.run("nap", nap if step.attempt == 1 else int)
            except Exception:
                effect("caught")
            finally:
                effect("finally")
            return "done"
        """
    )
    late = project.run("trigger", "work", expect=124)
    assert "time limit" in late.err
    assert "durably resume" in late.err
    assert project.inspect()["attempts"][0]["outcome"] == "time limit"
    assert project.runs()[0]["status"] == "interrupted"
    assert project.run("resume", "@last").out == '"done"\n'
    assert project.effects == ["first", "nap", "finally", "finally"]


def test_what_swallows_the_end_of_its_time_has_timed_out_all_the_same(project: Project) -> None:
    project.job(
        """
        @define_job(timeout=0.5)
        def work(step: Step, payload: dict[str, int]) -> str:
            try:
                time.sleep(600)
            except BaseException:
                return "swallowed"
        """
    )
    assert project.run("trigger", "work", expect=124).out == ""
    assert project.runs()[0]["status"] == "interrupted"


def test_a_run_is_let_go_of_before_it_is_called(project: Project) -> None:
    project.job(
        """
        def notice(run) -> None:
            effect("called")
            time.sleep(600)

        @define_job(on_failure=notice)
        def work(step: Step, payload: dict[str, int]) -> None:
            raise ValueError("the failure")
        """
    )
    with project.start("trigger", "work") as process:
        project.wait_for_effects(line="called")
        assert "has failed, and is not cancelled" in project.run("cancel", "@last", expect=5).err
        project.run("wait", "@last", expect=1)
        process.kill()


def test_an_attempt_that_another_one_follows_at_once_is_not_one(project: Project) -> None:
    project.job(
        """
        def act(name: str) -> None:
            if not os.path.exists("mended"):
                raise ValueError(name)

        def notice(run) -> None:
            effect("called")

        @define_job(on_failure=notice)
        def both(step: Step, payload: dict) -> None:
            errors = []
            for name in "ab":
                try:
                    step.run(name, act, name)
                except ValueError as error:
                    errors.append(error)
                    if name == "b" and step.attempt == 1:
                        os.kill(os.getpid(), 9)
            if errors:
                raise errors[0]
        """,
        "both",
    )
    project.run("trigger", "both", expect=-9)
    (project.root / "mended").touch()
    project.run("resume", "@last")
    assert len(project.inspect()["attempts"]) == 3
    assert project.effects == []


def test_one_that_closes_stderr_changes_nothing(project: Project) -> None:
    project.job(
        """
        def notice(run) -> None:
            sys.stderr.close()
            raise LookupError

        @define_job(on_failure=notice)
        def work(step: Step, payload: dict[str, int]) -> None:
            raise ValueError("the failure")
        """
    )
    project.run("trigger", "work", expect=1)


def test_a_time_limit_of_a_run_that_a_step_triggers_is_a_failure_of_the_step(
    project: Project,
) -> None:
    project.job(
        """
        @define_job(timeout=0.5)
        def inner(step: Step, payload: dict) -> None:
            step.run("nap", time.sleep, 600)

        def call_inner() -> str:
            return inner.trigger({}).id

        @define_job
        def outer(step: Step, payload: dict) -> str:
            try:
                step.run("inner", call_inner)
            except Exception as error:
                return str(error)
            return ""
        """,
        "both",
    )
    done = project.run("trigger", "outer")
    assert "a run of inner was ended: its time limit of 0.5 s is over" in done.out


def test_who_is_stopped_in_it_ends_as_the_attempt_did_whatever_others_make_of_the_run(
    project: Project,
) -> None:
    project.job(
        """
        def one() -> str:
            if not os.path.exists("mended"):
                raise ValueError("the failure")
            return "fine"

        def notice(run) -> None:
            effect("called")
            time.sleep(600)

        @define_job(on_failure=notice)
        def work(step: Step, payload: dict[str, int]) -> str:
            return step.run("one", one)
        """
    )
    with project.start("trigger", "work") as process:
        project.wait_for_effects(line="called")
        (project.root / "mended").touch()
        assert project.run("resume", "@last").out == '"fine"\n'
        process.terminate()
        ended = process.result()
    assert (ended.code, ended.out) == (1, "")
    assert "ValueError: the failure" in ended.err
