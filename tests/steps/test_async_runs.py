"""Runs of async handlers: their journals, logs, signals and ends, by the real command."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Project

PAGES = """
    import asyncio
    import logging
    from durably import AsyncStep

    class Input(BaseModel):
        n: int = 40

    async def fetch(n: int) -> int:
        effect(f"fetch {n}")
        await asyncio.sleep(0.01)
        return n

    @define_job
    async def pages(step: AsyncStep, payload: Input) -> int:
        one, other = await asyncio.gather(
            step.run("one", fetch, 1000), step.run("other", lambda: fetch(1001))
        )
        found = await step.map("fetch", fetch, range(payload.n), concurrency=8)
        await step.run("last", last)
        return one + other + sum(found)

    def last() -> None:
        if not os.path.exists("mended"):
            raise OSError("not mended")
"""


def lines(project: Project, kind: str) -> list[dict[str, Any]]:
    found = (json.loads(line) for line in project.journal().read_text().splitlines())
    return [line for line in found if line["type"] == kind]


def test_a_failed_run_is_resumed_where_it_was(project: Project) -> None:
    project.job(PAGES)
    failed = project.run("trigger", "pages", expect=1)
    assert "asyncio/" not in failed.err
    (project.root / "mended").touch()
    resumed = project.run("resume", "@last")
    assert resumed.out == f"{2001 + sum(range(40))}\n"
    assert set(Counter(project.effects).values()) == {1}


def test_killed_in_the_middle_no_acknowledged_item_is_executed_again(project: Project) -> None:
    project.job(PAGES)
    (project.root / "mended").touch()
    with project.start("trigger", "pages", "--n", "400") as process:
        project.wait_for_effects(100)
        process.kill()
    acknowledged = {line["name"] for line in lines(project, "step.completed") if "map" in line}
    project.run("resume", "@last")
    effects = Counter(project.effects)
    assert {f"fetch {n}" for n in range(400)} <= set(effects)
    assert all(effects[f"fetch {n}"] == 1 for n in acknowledged)
    assert sum(count - 1 for count in effects.values()) <= 8


def test_what_tasks_say_is_of_their_steps(project: Project) -> None:
    project.job("""
        import asyncio
        import logging
        from durably import AsyncStep, idempotency_key

        async def act(step: AsyncStep, name: str) -> str:
            for n in range(3):
                step.log.info(f"{name} logs")
                logging.getLogger("x").warning(f"{name} warns")
                print(f"{name} prints", flush=True)
                await asyncio.sleep(0.01)
            return idempotency_key()

        def plain(step: AsyncStep, name: str) -> str:
            step.log.info(f"{name} logs")
            return idempotency_key()

        @define_job
        async def talks(step: AsyncStep) -> bool:
            step.log.info("none logs")
            keys = await asyncio.gather(
                step.run("a", act, step, "a"),
                step.run("b", act, step, "b"),
                step.run("c", plain, step, "c"),
            )
            return list(keys) == [step.idempotency_key(name) for name in "abc"]
    """)
    assert project.run("trigger", "talks").out == "true\n"
    said = list(map(json.loads, project.run("logs", "@last", "--json").out.splitlines()))
    own = [each for each in said if each["message"].split()[0] in ("a", "b", "c", "none")]
    assert len(own) == 3 * 3 * 2 + 1 + 1
    for each in own:
        name = each["message"].split()[0]
        assert each.get("step") == (None if name == "none" else name)


def test_secrets_are_masked_in_what_is_written_from_tasks(project: Project) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep, Secret

        class Input(BaseModel):
            token: Secret

        async def fails(token: Secret) -> None:
            raise OSError(f"with {token.get_secret_value()}")

        @define_job
        async def work(step: AsyncStep, payload: Input) -> None:
            await asyncio.gather(
                step.run("a", fails, payload.token),
                step.map("m", lambda n: payload.token.get_secret_value(), [1]),
            )
    """)
    env = project.env | {"TOKEN": "s3cr3t-value"}
    failed = project.run("trigger", "work", "-p", "token=env:TOKEN", expect=1, env=env)
    assert "s3cr3t-value" not in failed.err + project.journal().read_text()


def test_a_journal_that_cannot_be_written_stops_all_tasks(project: Project) -> None:
    project.job("""
        import asyncio
        import resource
        from durably import AsyncStep

        async def act(n: int) -> str:
            effect(f"act {n}")
            await asyncio.sleep(0.001)
            return "x" * 1000

        @define_job
        async def work(step: AsyncStep) -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            return len(await step.map("m", act, range(2000), concurrency=8))
    """)
    lost = project.run("trigger", "work", expect=74)
    assert "cannot write" in lost.err
    assert len(project.effects) < 60
    acknowledged = len(lines(project, "step.completed"))
    (project.root / "jobs" / "work.py").write_text(
        (project.root / "jobs" / "work.py").read_text().replace("20_000", "200_000_000")
    )
    before = Counter(project.effects)
    project.run("resume", "@last")
    again = sum(count - 1 for count in Counter(project.effects).values())
    assert again <= len(before) - acknowledged


@pytest.mark.parametrize("policy", ["asyncio.DefaultEventLoopPolicy", "uvloop.EventLoopPolicy"])
def test_the_loop_is_that_of_the_policy(project: Project, policy: str) -> None:
    project.job(f"""
        import asyncio
        import uvloop
        from durably import AsyncStep

        asyncio.set_event_loop_policy({policy}())

        @define_job
        async def work(step: AsyncStep) -> str:
            await asyncio.gather(step.run("a", asyncio.sleep, 0), step.run("b", time.sleep, 0))
            return type(asyncio.get_running_loop()).__module__
    """)
    assert project.run("trigger", "work").out.startswith(f'"{policy.split(".", maxsplit=1)[0]}')


def test_in_the_debug_mode_of_asyncio_nothing_is_said(project: Project) -> None:
    project.job(PAGES)
    (project.root / "mended").touch()
    project.starts_interpreters = True
    env = project.env | {"PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "error"}
    said = project.run("trigger", "pages", env=env).err
    assert "never" not in said
    assert "asyncio" not in said


def test_of_a_wrong_handler_it_is_said_what_to_write(project: Project) -> None:
    project.job("""
        @define_job
        async def work(step: Step) -> int:
            return 1
    """)
    refused = project.run("trigger", "work", expect=78)
    assert "write async def work(step: AsyncStep)" in refused.err


def test_a_step_that_nobody_awaits_fails_the_run_and_a_mended_job_goes_on(
    project: Project,
) -> None:
    text = """
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> int:
            await step.run("first", effect, "first")
            step.run("second", effect, "second")
            return 1
    """
    path = project.job(text)
    failed = project.run("trigger", "work", expect=1)
    line = path.read_text().splitlines().index('    step.run("second", effect, "second")') + 1
    assert f"step 'second' was asked for at {path}:{line}, and nobody has awaited it" in failed.err
    project.job(text.replace("            step.run", "            await step.run"))
    project.run("resume", "@last")
    assert project.effects == ["first", "second"]


FORKS = """
    import asyncio
    import sys
    from durably import AsyncStep

    def child(how: str) -> None:
        if how == "exits":
            sys.exit(3)
        if how == "raises":
            raise ValueError("of the child")

    def plain(how: str) -> int:
        if not (pid := os.fork()):
            child(how)
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    async def on_loop(how: str) -> int:
        return plain(how)

    def item(n: int) -> None:
        effect(f"item {n} in {os.getpid()}")

    @define_job
    async def work(step: AsyncStep) -> list[int]:
        waits = [step.run(f"w-{n}", item, n) for n in range(80)]
        forks = [
            step.run(f"{fn.__name__} {how}", fn, how)
            for fn in (plain, on_loop)
            for how in ("exits", "returns", "raises")
        ]
        found = await asyncio.gather(*forks, *waits)
        return found[:6] + await step.map("m", plain, ["exits", "returns", "raises"])
"""


@pytest.mark.long
@pytest.mark.parametrize("policy", ["asyncio.DefaultEventLoopPolicy", "uvloop.EventLoopPolicy"])
def test_a_child_that_a_step_forks_ends_as_it_wants_to_and_executes_nothing_else(
    project: Project, policy: str
) -> None:
    project.job(f"    import uvloop\n{FORKS}\n    asyncio.set_event_loop_policy({policy}())\n")
    project.starts_interpreters = True
    done = project.run("trigger", "work")
    assert json.loads(done.out) == [3, 0, 1] * 3
    assert done.err.count("ValueError: of the child") == 3
    assert set(Counter(line.partition(" in ")[0] for line in project.effects).values()) == {1}


def test_items_of_threads_may_fork_too(project: Project) -> None:
    project.job("""
        import sys

        def act(n: int) -> int:
            if not (pid := os.fork()):
                sys.exit(n)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        @define_job
        def work(step: Step) -> list:
            return step.map("m", act, range(12), concurrency=4)
    """)
    project.starts_interpreters = True
    assert json.loads(project.run("trigger", "work").out) == [*range(12)]


def test_a_step_that_timed_out_beside_is_no_decision(project: Project) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> None:
            async with asyncio.timeout(0.1):
                await step.run("slow", asyncio.sleep, 60)
    """)
    failed = project.run("trigger", "work", expect=1)
    assert "TimeoutError" in failed.err
    assert "durably resume" in failed.err
    assert "--done" not in failed.err


def test_a_handler_that_gives_a_step_up_completes_and_shows_how_long_it_had_waited(
    project: Project,
) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> str:
            try:
                async with asyncio.timeout(0.1):
                    await step.run("slow", asyncio.sleep, 60)
            except TimeoutError:
                pass
            return await step.run("mirror", lambda: time.sleep(0.5) or "mirror")
    """)
    completed = project.run("trigger", "work")
    assert completed.out == '"mirror"\n'
    assert "step slow was cancelled after " in completed.err
    shown = json.loads(project.run("inspect", "@last", "--json").out)
    assert shown["run"]["in_doubt"] == []
    slow, mirror = sorted(
        shown["run"]["checkpoints"], key=lambda step: str(step["name"]), reverse=True
    )
    assert (slow["name"], slow["status"]) == ("slow", "cancelled")
    assert (mirror["name"], mirror["status"]) == ("mirror", "completed")
    assert slow["ms"] < mirror["ms"]
    assert "in doubt" not in project.run("inspect", "@last").out
    events = [
        json.loads(line) for line in project.run("inspect", "@last", "--events").out.splitlines()
    ]
    assert [event["name"] for event in events if event["type"] == "step.cancelled"] == ["slow"]


def test_a_step_that_was_given_up_is_in_doubt_until_its_run_completes(project: Project) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep

        @define_job
        async def work(step: AsyncStep) -> None:
            async def pay() -> None:
                effect("paid")
                await asyncio.sleep(60 if step.attempt == 1 else 0)

            async with asyncio.timeout(0.1):
                await step.run("pay", pay, in_doubt="stop")
    """)
    project.run("trigger", "work", expect=1)
    shown = json.loads(project.run("inspect", "@last", "--json").out)
    assert shown["run"]["in_doubt"] == ["pay"]
    assert "--done pay" in project.run("resume", "@last", expect=1).err
    project.run("resume", "@last", "--redo", "pay")
    assert project.effects == ["paid", "paid"]


def test_an_async_on_failure_is_awaited(project: Project) -> None:
    project.job("""
        import asyncio
        from durably import AsyncStep

        async def notice(run: object) -> None:
            await asyncio.sleep(0)
            effect("noticed")

        @define_job(on_failure=notice)
        async def work(step: AsyncStep) -> None:
            raise ValueError
    """)
    project.run("trigger", "work", expect=1)
    assert project.effects == ["noticed"]
