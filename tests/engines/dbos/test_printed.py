"""What jobs print in a worker is in the logs of their runs, and in the worker's own output."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.harness.workers import Worked, WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

PRINTS = """
    import logging, threading, warnings
    from durably_cli import Secret

    class Input(BaseModel):
        name: str
        token: Secret

    def meet(name):
        effect(name)
        while len(open(os.environ["EFFECTS"]).readlines()) < 2:
            time.sleep(0.01)

    def one(name, token):
        print("step of", name, end=" ")
        meet(name)
        print("with", token)
        print("err of", name, file=sys.stderr)

    def item(text):
        print(f"item {text}")

    @define_job
    def prints(step: Step, payload: Input) -> None:
        name, token = payload.name, payload.token.get_secret_value()
        print("handler of", name)
        step.run("one", one, name, token)
        step.map("many", item, [f"{name}-{n}" for n in range(40)])
        step.log.info("a line of " + name)
        logging.getLogger("a").warning("a record of " + name)
        thread = threading.Thread(target=print, args=("thread of", name), kwargs={"end": ""})
        thread.start()
        thread.join()
"""


def logged(project: WorkedProject, run: str) -> list[dict[str, Any]]:
    """All lines of the logs of a run."""
    return [json.loads(line) for line in project.run("logs", run, "--json").out.splitlines()]


def printed(project: WorkedProject, run: str) -> list[tuple[str, str | None, str]]:
    """Source, step and text of what a run has printed."""
    lines = [(x["source"], x["step"], x["message"]) for x in logged(project, run)]
    return [line for line in lines if line[0] in ("stdout", "stderr", "output")]


def two_runs(worked: WorkedProject) -> Worked:
    """The worker that has executed a run of each name at once, which is its key as well."""
    worked.job(PRINTS)
    for name in ("ann", "bob"):
        worked.env[f"TOKEN_OF_{name}"] = f"hunter2-of-{name}"
    worker = worked.work(2)
    for name in ("ann", "bob"):
        token = f"env:TOKEN_OF_{name}"
        given = ("--name", name, "--token", token, "--idempotency-key", name)
        worked.run("trigger", "prints", *given, "--detach")
    for name in ("ann", "bob"):
        worked.run("wait", f"key:prints/{name}")
    return worker


@pytest.mark.parametrize("takes_logging", [True, False])
def test_runs_at_once_in_a_worker_have_each_their_own_lines_and_it_has_all(
    worked: WorkedProject, takes_logging: bool
) -> None:
    if not takes_logging:
        with worked.root.joinpath("pyproject.toml").open("a") as settings:
            settings.write("capture_logging = false\n")
    said = two_runs(worked).said.read_text()
    for name, other in ("ann", "bob"), ("bob", "ann"):
        run = f"key:prints/{name}"
        assert Counter(printed(worked, run)) == Counter(
            [
                ("stdout", None, f"handler of {name}"),
                ("stdout", "one", f"step of {name} with **********"),
                ("stderr", "one", f"err of {name}"),
                *(("stdout", f"many[{name}-{n}]", f"item {name}-{n}") for n in range(40)),
                ("stdout", None, f"thread of {name}"),
                *(("stderr", None, f"a record of {name}") for _ in range(not takes_logging)),
            ]
        )
        messages = [line["message"] for line in logged(worked, run)]
        assert messages.count(f"a record of {name}") == 1
        assert not any(other in message for message in messages)
        lines = Counter(said.splitlines())
        assert lines[f"handler of {name}"] == lines[f"err of {name}"] == 1
        assert f"step of {name} with hunter2-of-{name}" in said, "as it is printed anywhere"
        assert all(said.count(f"item {name}-{n}\n") == 1 for n in range(40))
        assert f"thread of {name}" in said
    assert "hunter2" not in worked.run("logs", "key:prints/ann").out


def test_stdout_and_stderr_of_a_worker_stay_two(worked: WorkedProject) -> None:
    worked.job(
        """
        import subprocess

        @define_job
        def prints(step: Step) -> None:
            print(sys.stdout.fileno(), sys.stderr.fileno())
            subprocess.run("echo by a program", shell=True, stdout=sys.stderr)
            sys.stdout.buffer.write(b"as bytes\\n")
            os.write(1, b"to the descriptor\\n")
            step.sh("program", "echo in a step of sh; echo and its stderr >&2")
        """
    )
    worker = worked.work()
    worked.run("trigger", "prints")
    assert Counter(printed(worked, "@last")) == Counter(
        [
            ("stdout", None, "1 2"),
            ("stdout", None, "as bytes"),
            ("stdout", "program", "in a step of sh"),
            ("stderr", "program", "and its stderr"),
        ]
    )
    said = worker.said.read_text().splitlines()
    assert {"1 2", "by a program", "as bytes", "to the descriptor", "in a step of sh"} <= {*said}


def test_more_than_the_logs_take_is_left_out_and_its_size_is_said(worked: WorkedProject) -> None:
    worked.job(
        """
        @define_job
        def prints(step: Step) -> None:
            print("y" * 5000)
            for n in range(100):
                print("x" * 19_999)
        """
    )
    worker = worked.work()
    worked.run("trigger", "prints")
    first, *lines, last = printed(worked, "@last")
    assert first[2] == "y" * 4000 + " ... 1,000 more characters"
    assert {line for _, _, line in lines} == {"x" * 4000 + " ... 15,999 more characters"}
    assert len(lines) == 49
    assert last == ("output", None, "1.0 MB more were printed than the logs of a run take")
    assert worker.said.read_text().count("x" * 19_999 + "\n") == 100


def test_no_thread_is_begun_and_nothing_logged_for_who_prints_nothing(
    worked: WorkedProject,
) -> None:
    worked.job(
        """
        import threading

        def followers():
            return sum("follow" in thread.name for thread in threading.enumerate())

        @define_job
        def silent(step: Step, *, prints: bool) -> int:
            if prints:
                print("a line")
            return step.run("counted", followers)
        """
    )
    worked.work()
    assert worked.run("trigger", "silent", "-i", '{"prints": false}').out == "0\n"
    assert logged(worked, "@last") == []
    assert worked.run("trigger", "silent", "-i", '{"prints": true}').out == "1\n"
    assert worked.run("trigger", "silent", "-i", '{"prints": false}').out == "0\n"


def test_what_a_killed_worker_had_printed_is_there_and_replayed_steps_add_nothing(
    worked: WorkedProject,
) -> None:
    worked.job(
        """
        @define_job
        def prints(step: Step) -> None:
            print("before")
            step.run("one", print, "in one")
            print("between")
            step.run("two", held)

        def held():
            print("in two")
            effect("printed")
            while not os.path.exists("go"):
                time.sleep(0.02)
        """
    )
    worker = worked.work()
    run = worked.run("trigger", "prints", "--detach").out.strip()
    while len(printed(worked, run)) < 4:
        pass
    worker.kill()
    (worked.root / "go").touch()
    worked.work()
    worked.run("wait", run)
    assert Counter(line for _, _, line in printed(worked, run)) == Counter(
        {"before": 1, "in one": 1, "between": 1, "in two": 2}
    )


def test_an_async_job_and_its_forks(worked: WorkedProject) -> None:
    worked.job(
        """
        import asyncio
        from durably_cli import AsyncStep

        async def item(n):
            await asyncio.sleep(0.01)
            print("item", n)
            await asyncio.to_thread(print, "thread", n)

        def forks():
            print("parent")
            child = os.fork()
            if not child:
                print("child")
                os._exit(0)
            os.waitpid(child, 0)

        @define_job
        async def prints(step: AsyncStep) -> None:
            print("handler")
            await step.map("many", item, range(3))
            await step.run("forks", forks)
        """
    )
    worker = worked.work()
    worked.run("trigger", "prints")
    assert Counter(printed(worked, "@last")) == Counter(
        [
            ("stdout", None, "handler"),
            *(("stdout", f"many[{n}]", f"item {n}") for n in range(3)),
            *(("stdout", f"many[{n}]", f"thread {n}") for n in range(3)),
            ("stdout", "forks", "parent"),
        ]
    )
    assert "child" in worker.said.read_text().splitlines()


def test_a_secret_is_masked_that_a_thread_of_another_run_prints(worked: WorkedProject) -> None:
    worked.job(
        """
        from concurrent.futures import ThreadPoolExecutor
        from durably_cli import Secret

        POOL = ThreadPoolExecutor(1)

        class Input(BaseModel):
            token: Secret

        @define_job
        def prints(step: Step, payload: Input) -> None:
            POOL.submit(print, "ours").result()
            effect("ours")
            while not os.path.exists("go"):
                time.sleep(0.02)

        @define_job
        def borrows(step: Step, payload: Input) -> None:
            POOL.submit(print, "theirs", payload.token.get_secret_value()).result()
        """
    )
    worked.env |= {"ONE": "hunter2-of-one", "TWO": "swordfish-of-two"}
    worker = worked.work(2)
    run = worked.run("trigger", "prints", "--token", "env:ONE", "--detach").out.strip()
    worked.wait_for_effects()
    worked.run("trigger", "borrows", "--token", "env:TWO")
    (worked.root / "go").touch()
    worked.run("wait", run)
    assert [line for _, _, line in printed(worked, run)] == ["ours", "theirs **********"]
    assert "theirs swordfish-of-two" in worker.said.read_text()
