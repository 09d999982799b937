"""What tasks have done is synced by a thread, whatever all other threads are in."""

from __future__ import annotations

from tests.conftest import Project

ALL_THREADS = """
    import asyncio, threading
    from durably_cli import AsyncStep

    @define_job
    async def work(step: AsyncStep) -> int:
        is_open, waiting = threading.Event(), []

        def waits() -> bool:
            waiting.append(1)
            return is_open.wait(20)

        async def opens() -> None: ...

        async def all_wait_and_it_is_opened() -> None:
            while len(waiting) < 64:
                await asyncio.sleep(0.001)
            await step.run("opens", opens)
            is_open.set()

        tasks = [step.run(f"waits-{n}", waits) for n in range(64)]
        _, *found = await asyncio.gather(all_wait_and_it_is_opened(), *tasks)
        return sum(found)
"""


def test_a_step_is_acknowledged_while_functions_of_others_hold_all_threads(
    project: Project,
) -> None:
    project.job(ALL_THREADS)
    assert project.run("trigger", "work").out == "64\n"


NO_THREAD = """
    import threading
    from durably_cli import AsyncStep

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def act() -> str:
        return effect("done")

    @define_job
    async def work(step: AsyncStep) -> str:
        threading.Thread.start = refuse
        return await step.run("act", act)
"""


def test_where_no_thread_can_be_begun_the_loop_itself_waits_for_the_disk(project: Project) -> None:
    project.job(NO_THREAD)
    assert project.run("trigger", "work").out == '"done"\n'
    assert project.effects == ["done"]
