"""Promise 16: after TERM durably ends at once, however many threads of the job sleep.

They sleep for ten minutes here, and no test may take so long.
"""

from __future__ import annotations

import json
import signal

import pytest

from tests.conftest import Project

JOB = """
    import asyncio
    import atexit
    import multiprocessing
    import threading
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    class Input(BaseModel):
        how: str

    def pool() -> None:
        with ThreadPoolExecutor(16) as threads:
            futures = [threads.submit(time.sleep, 600) for _ in range(16)]
            effect("asleep")
            [each.result() for each in futures]

    def without_with() -> None:
        threads = ThreadPoolExecutor(16)
        futures = [threads.submit(time.sleep, 600) for _ in range(16)]
        effect("asleep")
        futures[0].result()

    def joined() -> None:
        threads = [threading.Thread(target=time.sleep, args=(600,)) for _ in range(16)]
        for each in threads:
            each.start()
        effect("asleep")
        try:
            for each in threads:
                each.join()
        finally:
            for each in threads:
                each.join()

    def loop() -> None:
        async def main() -> None:
            effect("asleep")
            await asyncio.gather(*(asyncio.to_thread(time.sleep, 600) for _ in range(16)))
        asyncio.run(main())

    def nested() -> None:
        with ThreadPoolExecutor(2) as outer, ThreadPoolExecutor(2) as inner:
            outer.submit(time.sleep, 600)
            inner.submit(time.sleep, 600)
            effect("asleep")

    def processes() -> None:
        with ProcessPoolExecutor(2) as pool:
            futures = [pool.submit(time.sleep, 600) for _ in range(6)]
            effect("asleep")
            [each.result() for each in futures]

    def tasks() -> None:
        async def busy() -> None:
            while True:
                time.sleep(0.01)
                await asyncio.sleep(0)

        async def main() -> None:
            tasks = [asyncio.create_task(busy()) for _ in range(20)]
            effect("asleep")
            await asyncio.sleep(600)
        asyncio.run(main())

    def child() -> None:
        child = multiprocessing.Process(target=time.sleep, args=(600,))
        child.start()
        effect("asleep")
        child.join()

    class Dropped:
        def __del__(self) -> None:
            time.sleep(0.001)

    def finalizers() -> None:
        effect("asleep")
        while True:
            Dropped()
            time.sleep(0.001)

    @define_job
    def work(step: Step, payload: Input) -> None:
        atexit.register(effect, "atexit")
        try:
            step.run("sleep", globals()[payload.how])
        finally:
            effect("finally")
"""


@pytest.mark.parametrize(
    ("how", "signum"),
    [
        *(
            (how, signal.SIGTERM)
            for how in (
                "pool",
                "without_with",
                "joined",
                "loop",
                "nested",
                "processes",
                "tasks",
                "child",
                "finalizers",
            )
        ),
        *((how, signal.SIGINT) for how in ("pool", "loop")),
    ],
)
def test_it_ends_while_they_sleep(project: Project, how: str, signum: signal.Signals) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--how", how) as process:
        project.wait_for_effects(line="asleep")
        process.send_signal(signum)
        _, err = process.communicate()
        assert process.returncode == 128 + signum
    assert "durably resume" in err
    assert project.effects == ["asleep", "finally", "atexit"]
    last = json.loads(project.journal().read_text().splitlines()[-1])
    assert (last["type"], last["signal"]) == ("run.interrupted", signum.name)


@pytest.mark.parametrize("how", ["tasks", "child"])
def test_it_ends_after_a_cancel_and_at_a_time_limit_too(project: Project, how: str) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--how", how) as process:
        project.wait_for_effects(line="asleep")
        project.run("cancel", "@last")
        _, err = process.communicate()
        assert process.returncode == 3
    assert "never retrieved" not in err
    project.run("trigger", "work", "--how", how, "--timeout", "1s", expect=124)


ASYNC = """
    import anyio
    import asyncio
    import contextlib
    import subprocess
    from concurrent.futures import ThreadPoolExecutor
    import atexit
    from durably import AsyncStep, Retry

    class Input(BaseModel):
        how: str

    async def asleep() -> None:
        effect("asleep")
        await asyncio.sleep(600)

    async def step_of_loop(step: AsyncStep) -> None:
        await step.run("sleep", asleep)

    async def between_steps(step: AsyncStep) -> None:
        await asleep()

    async def threads(step: AsyncStep) -> None:
        steps = [step.run(f"sleep {n}", time.sleep, 600) for n in range(16)]
        effect("asleep")
        await asyncio.gather(*steps)

    async def default_executor(step: AsyncStep) -> None:
        effect("asleep")
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 600) for _ in range(16)))

    async def items(step: AsyncStep) -> None:
        await step.map("sleep", lambda n: asleep() if not n else asyncio.sleep(600), range(99))

    async def blocked(step: AsyncStep) -> None:
        effect("asleep")
        time.sleep(600)

    async def blocked_by_threads(step: AsyncStep) -> None:
        with ThreadPoolExecutor(2) as pool:
            found = [pool.submit(time.sleep, 600) for _ in range(2)]
            effect("asleep")
            found[0].result()

    async def blocked_by_a_program(step: AsyncStep) -> None:
        effect("asleep")
        subprocess.run(["sleep", "600"], capture_output=True)

    async def shielded(step: AsyncStep) -> None:
        effect("asleep")
        await anyio.to_thread.run_sync(time.sleep, 600)

    async def swallows(step: AsyncStep) -> None:
        task = asyncio.create_task(asleep())
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(600)

    async def returns_parts(step: AsyncStep) -> None:
        effect("asleep")
        async def one(n: int) -> None:
            await step.run(f"s{n}", asyncio.sleep, 0.01)
            await step.run(f"t{n}", asyncio.sleep, 0.01)
        for n in range(10_000):
            await asyncio.gather(one(n), one(-n - 1), return_exceptions=True)

    async def group(step: AsyncStep) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(step.run("sleep", asleep))
            tasks.create_task(step.run("thread", time.sleep, 600))

    async def background(step: AsyncStep) -> None:
        tasks = [asyncio.create_task(asyncio.sleep(600)) for _ in range(20)]
        await asleep()

    async def program(step: AsyncStep) -> None:
        await step.sh("sleep", "echo asleep >> $EFFECTS; sleep 600")

    async def pause(step: AsyncStep) -> None:
        def fail() -> None:
            effect("asleep")
            raise OSError
        await step.run("fails", fail, tries=Retry(2, delay=600, max_delay=600))

    @define_job
    async def work(step: AsyncStep, payload: Input) -> None:
        atexit.register(effect, "atexit")
        try:
            await globals()[payload.how](step)
        finally:
            try:
                await asyncio.sleep(0)
                step.run("behind the stop", effect, "behind the stop")
            finally:
                effect("finally")
"""


@pytest.mark.parametrize("policy", ["DefaultEventLoopPolicy", "uvloop.EventLoopPolicy"])
@pytest.mark.parametrize(
    "how",
    [
        "step_of_loop",
        "between_steps",
        "threads",
        "default_executor",
        "items",
        "blocked",
        "blocked_by_threads",
        "blocked_by_a_program",
        "shielded",
        "swallows",
        "returns_parts",
        "group",
        "background",
        "program",
        "pause",
    ],
)
def test_an_async_handler_ends_while_all_of_it_sleeps(
    project: Project, how: str, policy: str
) -> None:
    module = "" if policy.startswith("Default") else "    import uvloop\n"
    policy = policy if module else f"asyncio.{policy}"
    project.job(f"{module}{ASYNC}\n    asyncio.set_event_loop_policy({policy}())\n")
    with project.start("trigger", "work", "--how", how) as process:
        project.wait_for_effects(line="asleep")
        process.terminate()
        _, err = process.communicate()
        assert process.returncode == 143, err
    assert "durably resume" in err
    assert "never retrieved" not in err
    assert project.effects == ["asleep", "finally", "atexit"]
    last = json.loads(project.journal().read_text().splitlines()[-1])
    assert (last["type"], last["signal"]) == ("run.interrupted", "SIGTERM")


@pytest.mark.parametrize("how", ["group", "blocked"])
def test_an_async_handler_ends_after_a_cancel_and_at_a_time_limit(
    project: Project, how: str
) -> None:
    project.job(ASYNC)
    with project.start("trigger", "work", "--how", how) as process:
        project.wait_for_effects(line="asleep")
        project.run("cancel", "@last")
        process.communicate()
        assert process.returncode == 3
    project.run("trigger", "work", "--how", how, "--timeout", "1s", expect=124)
    assert project.effects == ["asleep", "finally", "atexit"] * 2


def test_steps_of_an_async_handler_that_end_soon_are_acknowledged_first(project: Project) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep

        async def act(n: int) -> None:
            effect(f"begun {n}")
            while not os.path.exists("stopped"):
                await asyncio.sleep(0.005)

        def plain(n: int) -> None:
            effect(f"begun {n}")
            while not os.path.exists("stopped"):
                time.sleep(0.005)

        @define_job
        async def work(step: AsyncStep) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(step.run("a", act, 1))
                tasks.create_task(step.run("b", plain, 2))
    """)
    with project.start("trigger", "work") as process:
        project.wait_for_effects(2)
        process.terminate()
        (project.root / "stopped").touch()
        process.communicate()
    assert (
        sum(b"step.completed" in line for line in project.journal().read_bytes().splitlines()) == 2
    )
    project.run("resume", "@last")
    assert sorted(project.effects) == ["begun 1", "begun 2"]
