"""`durably cancel` ends a run for good, whatever it is at, and whoever executes it."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest

from durably_cli.engines import who
from durably_cli.engines.local.inbox import CancelRequest, Inbox
from tests.conftest import Project, Started

JOB = """
    from concurrent.futures import ThreadPoolExecutor
    from durably_cli import Retry

    class Input(BaseModel):
        at: str = "step"

    def nap() -> None:
        effect("napping")
        try:
            time.sleep(600)
        finally:
            effect("unwound")

    def pool() -> None:
        effect("napping")
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(time.sleep, [600] * 16))

    def fail() -> None:
        effect("napping")
        raise ConnectionError("refused")

    def swallow() -> str:
        effect("napping")
        try:
            time.sleep(600)
        except BaseException:
            return "swallowed"

    @define_job
    def work(step: Step, payload: Input) -> str:
        step.run("before", int)
        try:
            if payload.at == "pause":
                step.run("nap", fail, tries=Retry(3, delay=600))
            if payload.at == "handler":
                nap()
            step.run("nap", {"step": nap, "pool": pool, "swallow": swallow}[payload.at])
        finally:
            effect("finally")
        if payload.at != "swallow":
            step.run("after", lambda: effect("after"))
        return "done"
"""


@pytest.fixture
def work(project: Project) -> Project:
    project.job(JOB)
    return project


def napping(project: Project, *args: str) -> Started:
    process = project.start("trigger", "work", *args)
    project.wait_for_effects(line="napping")
    return process


def types(project: Project) -> list[str]:
    return [json.loads(line)["type"] for line in project.journal().read_text().splitlines()]


@pytest.mark.parametrize("at", ["step", "pool", "pause", "handler", "swallow"])
def test_its_owner_stops_wherever_it_is(work: Project, at: str) -> None:
    with napping(work, "--at", at) as process:
        said = work.run("cancel", "@last", "--reason", "wrong month")
        out, err = process.communicate()
    assert "is cancelled" in said.err
    assert (process.returncode, out) == (3, "")
    assert "was cancelled" in err
    assert types(work)[-1] == "run.cancelled"
    last = json.loads(work.journal().read_text().splitlines()[-1])
    assert last["reason"] == "wrong month"
    assert last["by"]
    assert "finally" in work.effects
    assert "after" not in work.effects
    assert not list(work.data.rglob("*.inbox"))


def test_it_is_final(work: Project) -> None:
    with napping(work, "--idempotency-key", "k") as process:
        work.run("cancel", "@last")
        process.communicate()
    assert "was cancelled before" in work.run("cancel", "@last").err
    refused = work.run("resume", "@last", expect=3).err
    assert f"was cancelled by {who.user()}\n" in refused
    assert "trigger a new run, with another idempotency key" in refused
    work.run("trigger", "work", "--idempotency-key", "k", expect=3)
    assert work.effects.count("napping") == 1


def test_what_nobody_executes_is_cancelled_at_once(work: Project) -> None:
    with napping(work) as process:
        process.kill()
    answer = json.loads(work.run("cancel", "@last", "--json").out)
    assert answer["run"]["status"] == "cancelled"
    (attempt,) = answer["run"]["attempts"]
    assert (attempt["outcome"], attempt["ended"]) == ("no end recorded", None)
    work.run("resume", "@last", expect=3)
    work.run("verify")


def test_one_that_waits_for_its_turn(work: Project) -> None:
    with napping(work, "--concurrency-key", "c") as first:
        with work.start("trigger", "work", "--concurrency-key", "c") as second:
            while len(work.runs()) < 2 or work.runs()[0]["status"] != "pending":
                time.sleep(0.01)
            work.run("cancel", "@last")
            second.communicate()
            assert second.returncode == 3
        assert types(work)[-2:] == ["run.created", "run.cancelled"]
        first.terminate()
        first.communicate()
        assert first.returncode == 143


def test_what_has_ended_is_left_as_it_is(work: Project) -> None:
    work.job(
        """
        @define_job
        def done(step: Step, payload: dict[str, int]) -> int:
            return 1

        @define_job
        def failed(step: Step, payload: dict[str, int]) -> int:
            raise ValueError
    """,
        "others",
    )
    for job, code in (("done", 0), ("failed", 1)):
        work.run("trigger", job, expect=code)
        before = work.journal().read_bytes()
        refused = work.run("cancel", "@last", expect=5)
        assert "and is not cancelled" in refused.err
        assert work.journal().read_bytes() == before
    assert "there is no run" in work.run("cancel", "ffffffff", expect=4).err


def test_a_request_that_the_owner_never_took_up_is_taken_up_by_the_next(work: Project) -> None:
    with napping(work) as process:
        process.send_signal(signal.SIGSTOP)
        busy = work.run("cancel", "@last", "--timeout", "0.3", expect=75)
        assert "is asked to end, and has not yet" in busy.err
        process.kill()
    work.run("resume", "@last", expect=3)
    assert work.effects.count("napping") == 1


def test_a_request_to_a_run_that_failed_is_no_request_to_its_resume(work: Project) -> None:
    """Who resumes a failed run knows more than who wanted its attempt to end."""
    work.job(
        """
        @define_job
        def flaky(step: Step, payload: dict[str, int]) -> int:
            return step.run("once", once)

        def once() -> int:
            effect("once")
            if not os.path.exists("mended"):
                raise ValueError
            return 1
        """,
        "flaky",
    )
    work.run("trigger", "flaky", expect=1)
    journal = work.journal()
    request = CancelRequest("ann", "2026-11-27T23:00:00.000Z")
    Inbox(journal).ask_to_cancel(request, journal.parents[2] / "tmp")
    (work.root / "mended").touch()
    assert work.run("resume", "@last").out == "1\n"


def test_a_request_is_no_original_of_a_journal(work: Project) -> None:
    """Nor is anything else of what stands beside a journal."""
    with napping(work) as process:
        process.kill()
    journal = work.journal()
    Inbox(journal).ask_to_cancel(CancelRequest("ann", "2026-11-27"), journal.parents[2] / "tmp")
    for suffix in ("blobs", "programs"):
        journal.with_suffix(f".{suffix}").mkdir(mode=0o700)
    kept = journal.with_suffix(".torn-1")
    kept.write_bytes(journal.read_bytes())
    found = json.loads(work.run("verify", "--json").out)["findings"]
    assert [each["name"] for each in found if each["kind"] == "original"] == [kept.name]


def test_a_signal_and_a_cancel_at_once_end_it_once(work: Project) -> None:
    with napping(work) as process:
        os.kill(process.pid, signal.SIGTERM)
        work.run("cancel", "@last")
        process.communicate()
        assert process.returncode in (3, 143)
    assert types(work).count("run.cancelled") == 1
    assert work.runs()[0]["status"] == "cancelled"


def test_a_request_that_comes_while_a_failed_run_is_resumed_is_taken_up(project: Project) -> None:
    """The import of a job may take long; what was asked before it is of another attempt."""
    project.job(
        """
        if os.path.exists("slow"):
            effect("importing")
            time.sleep(1)

        @define_job
        def work(step: Step, payload: dict[str, int]) -> None:
            step.run("one", int if os.path.exists("slow") else fail)
            step.run("two", time.sleep, 600)

        def fail() -> None:
            raise ValueError
        """
    )
    project.run("trigger", "work", expect=1)
    (project.root / "slow").touch()
    with project.start("resume", "@last") as process:
        project.wait_for_effects(line="importing")
        project.run("cancel", "@last")
        process.communicate()
        assert process.returncode == 3


@pytest.mark.parametrize("text", ['{"by": "\\ud800", "at": "x"}', "[" * 200_000, "7", ""])
def test_what_is_no_request_cancels_and_is_said(work: Project, text: str) -> None:
    """Somebody has the right to write there: whoever it is wants the run to end."""
    with napping(work) as process:
        folder = work.journal().with_suffix(".inbox")
        folder.mkdir(mode=0o700)
        (folder / "cancel").write_text(text)
        (folder / "cancel").chmod(0o600)
        out, err = process.communicate()
        assert (process.returncode, out) == (3, "")
    assert "Traceback" not in err
    work.run("verify")


@pytest.mark.long
def test_a_process_out_of_descriptors_looks_again(project: Project) -> None:
    project.job(
        """
        def use_up() -> None:
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                os.close(taken.pop())
            effect("used up")
            taken.append(os.open(os.devnull, os.O_RDONLY))
            time.sleep(0.6)
            for fd in taken:
                os.close(fd)
            time.sleep(600)

        @define_job
        def work(step: Step, payload: dict[str, int]) -> None:
            step.run("use-up", use_up)
        """
    )
    with project.start("trigger", "work") as process:
        project.wait_for_effects(line="used up")
        project.run("cancel", "@last")
        _, err = process.communicate()
        assert process.returncode == 3
    assert "Traceback" not in err


def test_what_was_asked_for_is_shown_before_it_has_happened(work: Project) -> None:
    with napping(work) as process:
        process.send_signal(signal.SIGSTOP)
        work.run("cancel", "@last", "--reason", "wrong month", "--timeout", "0s", expect=75)
        reason = f"to be cancelled by {who.user()}: wrong month"
        assert work.runs()[0]["reason"] == reason
        process.send_signal(signal.SIGCONT)
        process.communicate()
    assert process.returncode == 3


def test_who_has_cancelled_it_and_why_is_shown(work: Project) -> None:
    with napping(work) as process:
        work.run("cancel", "@last", "--reason", "wrong month")
        process.communicate()
    assert work.runs()[0]["reason"].endswith(": wrong month")
    assert "wrong month" in work.run("inspect", "@last").out


def test_an_imported_run_and_one_of_a_newer_durably_are_left_alone(work: Project) -> None:
    with napping(work) as process:
        process.kill()
    work.run("export", "@last", "-o", "run.tar.gz")
    work.run("delete", "@last", "--status", "interrupted")
    work.run("import", "run.tar.gz")
    before = work.journal().read_bytes()
    assert "read-only" in work.run("cancel", "@last", expect=77).err
    assert work.journal().read_bytes() == before
    assert not list(work.data.rglob("*.inbox"))


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_an_odd_request_hides_no_run(work: Project, kind: str) -> None:
    with napping(work) as process:
        process.kill()
    inbox = work.journal().with_suffix(".inbox")
    inbox.mkdir(mode=0o700)
    (inbox / "cancel").symlink_to("/") if kind == "link" else (inbox / "cancel").mkdir()
    assert work.runs()[0]["reason"] == "in doubt: nap"


def test_a_request_whose_taker_died_is_shown_with_the_command_that_carries_it_out(
    work: Project,
) -> None:
    with napping(work) as process:
        process.send_signal(signal.SIGSTOP)
        work.run("cancel", "@last", "--timeout", "0s", expect=75)
        process.kill()
    reason = f"to be cancelled by {who.user()}, in doubt: nap"
    assert work.runs()[0]["reason"] == reason
    waited = work.run("wait", "@last", expect=75).err
    assert reason in waited
    assert re.search(r"^try: .*durably cancel \w+$", waited, re.MULTILINE)
    work.run("cancel", "@last")
