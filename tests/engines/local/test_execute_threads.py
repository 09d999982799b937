"""Threads of a job that go on when its handler has returned, failed, or was stopped."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Project

BEATS = """
    import threading

    class Input(BaseModel):
        threads: int = 4
        daemon: bool = True
        fails: bool = False
        sleeps: bool = False

    @define_job
    def work(step: Step, payload: Input) -> int:
        def beat():
            while True:
                step.progress(1, 3)
                step.log.info("beat", n=1)

        for _ in range(payload.threads):
            threading.Thread(target=beat, daemon=payload.daemon).start()
        for n in range(3):
            step.run(f"step-{n}", effect, n)
        if payload.sleeps:
            effect("sleeps")
            time.sleep(60)
        if payload.fails:
            raise ValueError("no")
        return 7
"""


@pytest.fixture
def work(project: Project) -> Project:
    project.job(BEATS)
    return project


@pytest.mark.parametrize("daemon", [True, False])
def test_threads_that_report_while_the_run_ends_harm_nothing(work: Project, daemon: bool) -> None:
    for _ in range(4):
        flag = "--daemon" if daemon else "--no-daemon"
        ended = work.run("trigger", "work", flag)
        assert ended.out == "7\n"
        assert "Traceback" not in ended.err
        assert ended.err.count("had ended; it is not recorded") <= 1
    assert work.effects == ["0", "1", "2"] * 4
    work.run("verify")
    assert [run["status"] for run in work.runs()] == ["completed"] * 4


def test_a_run_that_fails_beside_its_threads_has_failed(work: Project) -> None:
    failed = work.run("trigger", "work", "--fails", expect=1)
    assert "ValueError: no" in failed.err
    work.run("verify")
    assert work.inspect()["failed_step"] is None


def test_a_run_that_is_stopped_beside_its_threads_can_be_resumed(work: Project) -> None:
    with work.start("trigger", "work", "--sleeps") as process:
        work.wait_for_effects(4)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    work.run("verify")
    assert work.inspect()["steps"] == 3


def test_a_late_thread_is_silent_where_success_is(work: Project) -> None:
    quiet = work.run("trigger", "work", "-q", "--no-daemon")
    assert quiet.out == quiet.err == ""


def test_a_signal_handler_of_the_job_may_log_at_any_moment(project: Project) -> None:
    project.job(
        """
        import itertools, signal, threading

        @define_job
        def work(step: Step, payload: dict) -> int:
            heard = []

            def hear(*_):
                heard.append(1)
                step.log.info("heard", n=len(heard))

            signal.signal(signal.SIGUSR1, hear)
            stop = threading.Event()

            def send():
                while not stop.is_set():
                    os.kill(os.getpid(), signal.SIGUSR1)
                    time.sleep(0.0005)

            sender = threading.Thread(target=send)
            sender.start()
            for n in itertools.count():
                step.run(f"step-{n}", int)
                if n >= 200 and len(heard) > 20:
                    break
            stop.set()
            sender.join()
            return len(heard)
        """
    )
    heard = int(project.run("trigger", "work").out)
    project.run("verify")
    assert len(project.run("logs", "@last").out.splitlines()) == heard


def test_a_forked_child_that_returns_from_the_handler_waits_for_no_thread(work: Project) -> None:
    work.job(
        """
        import threading

        @define_job
        def forks(step: Step, payload: dict) -> int:
            def beat():
                while True:
                    step.progress(1, 3)

            for _ in range(4):
                threading.Thread(target=beat, daemon=True).start()
            children = []
            for _ in range(20):
                child = os.fork()
                if not child:
                    return 7
                children.append(child)
            ends = [os.waitpid(child, 0)[1] for child in children]
            (code,) = set(map(os.waitstatus_to_exitcode, ends))
            return code
        """,
        "forks",
    )
    assert work.run("trigger", "forks").out == "0\n"
    work.run("verify")


def test_a_timer_of_the_job_that_fires_when_its_run_has_ended_changes_nothing(
    project: Project,
) -> None:
    project.job(
        """
        import atexit, signal

        @define_job
        def work(step: Step, payload: dict) -> int:
            atexit.register(lambda: step.log.info("late"))
            signal.signal(signal.SIGALRM, lambda *_: step.log.warn("slow!"))
            step.run("one", effect, "one")
            signal.setitimer(signal.ITIMER_REAL, payload["at"])
            return 1
        """
    )
    for at in range(1, 25, 3):
        done = project.run("trigger", "work", "-i", f'{{"at": {at / 1000}}}', expect=None)
        assert done.code in (0, -signal.SIGALRM), done  # Python itself ends by it at its very end
        assert done.out == "1\n"
        assert "durably: " not in done.err
        assert "Traceback" not in done.err


def test_a_signal_handler_may_log_while_durably_logs_for_the_first_time(project: Project) -> None:
    project.job(
        """
        import signal

        @define_job
        def work(step: Step, payload: dict) -> int:
            signal.signal(signal.SIGALRM, lambda *_: step.log.warn("slow!"))
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for n in range(5):
                step.run(f"step-{n}", int)
                step.log.info("first")
            signal.setitimer(signal.ITIMER_REAL, 0)
            return 1
        """
    )
    assert project.run("trigger", "work").out == "1\n"
