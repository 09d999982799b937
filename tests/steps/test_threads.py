"""Steps that several threads of a handler ask for at once."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from durably import Step, StepMisused, StepTimeout, idempotency_key

from durably_cli.errors import RunEnded
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepStarted
from tests.conftest import Project

POOL = """
    import threading
    from concurrent.futures import ThreadPoolExecutor, wait

    class Input(BaseModel):
        n: int = 40
        threads: int = 8

    def fetch(n: int) -> int:
        effect(f"fetch {n}")
        time.sleep(0.02)
        return n

    @define_job
    def work(step: Step, payload: Input) -> int:
        with ThreadPoolExecutor(payload.threads) as pool:
            found = [pool.submit(step.run, f"fetch-{n}", fetch, n) for n in range(payload.n)]
            return sum(each.result() for each in found)
"""


def lines(project: Project, kind: str) -> list[dict[str, Any]]:
    found = (json.loads(line) for line in project.journal().read_text().splitlines())
    return [line for line in found if line["type"] == kind]


def test_they_are_side_by_side() -> None:
    step, together = Step(), threading.Barrier(8)  # which would wait for ever otherwise
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(step.run, f"n-{n}", together.wait, 60) for n in range(8)]
        assert sorted(each.result() for each in found) == [*range(8)]


def test_a_job_with_a_pool_completes_and_its_journal_has_each_step_once(project: Project) -> None:
    project.job(POOL)
    assert project.run("trigger", "work").out == "780\n"
    assert Counter(project.effects) == Counter(f"fetch {n}" for n in range(40))
    for kind in ("step.started", "step.completed"):
        names = [line["name"] for line in lines(project, kind)]
        assert sorted(names) == sorted(f"fetch-{n}" for n in range(40))
    assert project.run("verify").code == 0


def test_killed_it_does_no_acknowledged_step_again_and_at_most_so_many_twice(
    project: Project,
) -> None:
    project.job(POOL)
    with project.start("trigger", "work") as process:
        project.wait_for_effects(18)
        process.kill()
    acknowledged = {line["name"] for line in lines(project, "step.completed")}
    assert project.run("resume", "@last").out == "780\n"
    often = Counter(project.effects)
    assert all(often[name.replace("-", " ")] == 1 for name in acknowledged)
    assert sum(count - 1 for count in often.values()) <= 8
    assert max(often.values()) <= 2


TOGETHER = """
    import threading
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from durably_cli.system import files

    syncs, sync, together = [], files.sync, threading.Barrier(16)

    def sync_when_all_have_written(fd: int) -> None:
        syncs.append(fd)
        (journal,) = Path(os.environ["DURABLY_DATA_DIR"]).rglob("*.jsonl")
        while (done := journal.read_bytes().count(b"step.completed")) % 16 and done < 320:
            time.sleep(0.001)
        sync(fd)

    @define_job
    def work(step: Step) -> None:
        files.sync = sync_when_all_have_written
        with ThreadPoolExecutor(16) as pool:
            found = [pool.submit(step.run, f"n-{n}", together.wait) for n in range(320)]
            [each.result() for each in found]
        effect(len(syncs))
"""


def test_steps_that_finish_together_share_a_sync(project: Project) -> None:
    project.job(TOGETHER)
    project.run("trigger", "work")
    # Of sixteen the first one's sync may begin before the others have written, and no third one.
    assert 320 / 16 <= int(project.effects[-1]) <= 2 * 320 / 16


def in_thread(do: Any) -> BaseException | None:
    future = Future[None]()

    def call() -> None:
        try:
            do()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return future.exception()


def test_a_name_is_given_once_whatever_threads_give_it() -> None:
    for _ in range(50):
        events = list[Event]()
        step = Step({}, events.append)
        start = threading.Barrier(4)

        def ask(step: Step = step, start: threading.Barrier = start) -> None:
            start.wait()
            step.run("same", int)

        with ThreadPoolExecutor(4) as pool:
            failed = [each.exception() for each in [pool.submit(ask) for _ in range(4)]]
        assert sum(isinstance(each, StepMisused) for each in failed) == 3
        assert sum(isinstance(event, StepStarted) for event in events) == 1


def test_a_name_that_two_threads_give_fails_the_run_though_nobody_looks(project: Project) -> None:
    project.job(
        """
        import threading

        @define_job
        def work(step: Step) -> None:
            step.run("same", int)
            thread = threading.Thread(target=lambda: step.run("same", int))
            thread.start()
            thread.join()
        """
    )
    failed = project.run("trigger", "work", expect=1)
    assert "the step name 'same' is used twice, at " in failed.err
    assert str(project.root / "jobs" / "work.py") in failed.err


def test_a_step_inside_a_step_is_refused_in_its_thread_and_is_a_step_in_another_one() -> None:
    step = Step()

    def outer() -> list[str]:
        refused = in_thread(lambda: step.run("in another thread", int))
        assert refused is None
        with pytest.raises(StepMisused, match="'in this one' was started inside step 'outer'"):
            step.run("in this one", int)
        return []

    assert step.run("outer", outer) == []


def test_each_thread_is_in_its_own_step() -> None:
    step, together = Step(), threading.Barrier(4)

    def key() -> str:
        together.wait(60)
        mine = idempotency_key()
        together.wait(60)
        return mine

    with ThreadPoolExecutor(4) as pool:
        found = {n: pool.submit(step.run, f"n-{n}", key) for n in range(4)}
        keys = {n: each.result() for n, each in found.items()}
    assert keys == {n: step.idempotency_key(f"n-{n}") for n in range(4)}


def test_what_is_printed_and_logged_is_of_the_step_of_its_thread(project: Project) -> None:
    project.job(
        """
        import logging, threading
        from concurrent.futures import ThreadPoolExecutor

        together = threading.Barrier(3)

        def speak(step: Step, name: str) -> None:
            together.wait()
            print(f"print {name}", flush=True)
            step.log.info(f"log {name}")
            helper = threading.Thread(target=lambda: logging.warning("helper %s", name))
            helper.start()
            helper.join()
            together.wait()

        @define_job
        def work(step: Step) -> None:
            with ThreadPoolExecutor(3) as pool:
                for each in [
                    pool.submit(step.run, name, speak, step, name, returns=None)
                    for name in ("a", "b")
                ]:
                    pass
                together.wait()
                print("print nobody", flush=True)
                logging.warning("handler")
                together.wait()
        """
    )
    project.run("trigger", "work")
    said = {line["message"]: line.get("step") for line in lines(project, "log.written")}
    for name in "ab":
        assert [said[f"{how} {name}"] for how in ("print", "log", "helper")] == [name] * 3
    assert said["print nobody"] is None
    assert said["handler"] is None


def test_the_end_of_the_handler_waits_for_steps_in_flight_and_no_other_one_begins(
    project: Project,
) -> None:
    project.job(
        """
        import threading

        def slow() -> None:
            time.sleep(0.3)
            effect("slow")

        def late(step: Step) -> None:
            step.run("slow", slow)
            step.run("late", effect, "late")

        @define_job
        def work(step: Step) -> None:
            threading.Thread(target=late, args=(step,)).start()
            while step._scope.running is None and not step._scope.in_flight:
                time.sleep(0.001)
        """
    )
    done = project.run("trigger", "work")
    assert project.effects == ["slow"]
    assert project.runs()[0]["status"] == "completed"
    assert [line["name"] for line in lines(project, "step.completed")] == ["slow"]
    assert "step 'late' was asked for when the handler had ended" in done.err


def test_behind_the_end_no_step_is_replayed_either() -> None:
    step = Step()
    step.close()
    with pytest.raises(RunEnded):
        step.run("late", int)


def test_a_failure_that_nobody_fetches_is_said(project: Project) -> None:
    project.job(
        """
        from concurrent.futures import ThreadPoolExecutor

        def fails() -> None:
            raise OSError("no disk")

        @define_job
        def work(step: Step) -> None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(step.run, "fails", fails)
        """
    )
    done = project.run("trigger", "work")
    assert "step fails failed: OSError: no disk" in done.err
    assert "1 failed" in done.err


SLEEPS = """
    import threading
    from concurrent.futures import ThreadPoolExecutor

    class Input(BaseModel):
        how: str = "with"

    def sleep(n: int) -> int:
        effect(f"begun {n}")
        time.sleep(0.1 if n < 2 else 600)
        return n

    @define_job(timeout=3600)
    def work(step: Step, payload: Input) -> None:
        step.run("first", int)
        pool = ThreadPoolExecutor(16)
        found = [pool.submit(step.run, f"sleep-{n}", sleep, n) for n in range(16)]
        try:
            if payload.how == "with":
                with pool:
                    pass
            [each.result() for each in found]
        finally:
            step.run("never", effect, "never")
"""


@pytest.mark.parametrize("how", ["with", "without"])
@pytest.mark.parametrize("ended_by", ["TERM", "cancel", "limit"])
def test_a_stop_ends_it_while_they_sleep_and_acknowledges_what_ends(
    project: Project, how: str, ended_by: str
) -> None:
    project.job(SLEEPS)
    limit = ("--timeout", "1.5s") if ended_by == "limit" else ()
    with project.start("trigger", "work", "--how", how, *limit) as process:
        project.wait_for_effects(16)
        if ended_by == "TERM":
            process.send_signal(signal.SIGTERM)
        elif ended_by == "cancel":
            assert project.run("cancel", "@last").code == 0
        process.communicate()
        assert process.returncode == {"TERM": 143, "cancel": 3, "limit": 124}[ended_by]
    assert "never" not in project.effects
    completed = {line["name"] for line in lines(project, "step.completed")}
    assert completed <= {"first", "sleep-0", "sleep-1"}
    assert not lines(project, "step.failed")
    run = project.inspect()
    assert len(run["in_doubt"]) == 17 - len(completed)


def test_a_lost_journal_stops_every_thread(project: Project) -> None:
    project.job(
        """
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path

        def act(n: int) -> int:
            effect(f"act {n}")
            if n == 3:
                (journal,) = Path(os.environ["DURABLY_DATA_DIR"]).rglob("*.jsonl")
                with journal.open("a") as file:
                    file.write("x")
            time.sleep(0.01)
            return n

        @define_job
        def work(step: Step) -> None:
            with ThreadPoolExecutor(4) as pool:
                [pool.submit(step.run, f"n-{n}", act, n) for n in range(2000)]
        """
    )
    assert "by another program" in project.run("trigger", "work", expect=74).err
    assert len(project.effects) < 100


def test_a_time_limit_ends_a_try_in_a_thread_and_the_others_go_on() -> None:
    step = Step()

    def spin(seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.001)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(lambda: step.run("slow", spin, 600, timeout=0.2))
        quick = pool.submit(lambda: step.run("quick", spin, 0.5))
        assert isinstance(slow.exception(), StepTimeout)
        assert quick.result() == "done"


def test_redone_steps_of_several_threads_outdate_what_came_after_once(project: Project) -> None:
    project.job(
        """
        from concurrent.futures import ThreadPoolExecutor

        def read(name: str) -> int:
            effect(f"read {name}")
            return int(open("n").read())

        def add(a: int, b: int) -> int:
            effect(f"add {a} {b}")
            return a + b

        @define_job
        def work(step: Step) -> int:
            with ThreadPoolExecutor(4) as pool:
                parts = [pool.submit(step.run, name, read, name) for name in "abcd"]
                total = sum(each.result() for each in parts)
            found = step.run("add", add, total, 1)
            if not os.path.exists("mended"):
                raise ValueError
            return found
        """
    )
    (project.root / "n").write_text("1")
    project.run("trigger", "work", expect=1)
    (project.root / "n").write_text("2")
    (project.root / "mended").touch()
    assert project.run("resume", "@last", "--redo", "*").out == "9\n"
    assert Counter(project.effects) == Counter(
        {**{f"read {name}": 2 for name in "abcd"}, "add 4 1": 1, "add 8 1": 1}
    )


def test_completed_events_are_as_many_as_the_functions_calls() -> None:
    events = list[Event]()
    step, lock, calls = Step({}, events.append), threading.Lock(), list[int]()

    def act(n: int) -> int:
        with lock:
            calls.append(n)
        return n

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda n: step.run(f"n-{n}", act, n), range(500))) == 124750
    assert sorted(calls) == [*range(500)]
    completed = [event.name for event in events if isinstance(event, StepCompleted)]
    assert sorted(completed) == sorted(f"n-{n}" for n in range(500))
