"""Async handlers: what their steps do that those of plain handlers do not."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import anyio
import pytest
from durably import AsyncStep, Retry, RetryAfter, Step, StepMisused, StepTimeout, define_job

from durably_cli.errors import RunEnded
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted

T = TypeVar("T")

ROW: ContextVar[str] = ContextVar("row", default="none")


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


def in_memory(act: Callable[[Any], Awaitable[T]], events: list[Event] | None = None) -> T:
    """What comes of an async function that is given a step."""
    step = AsyncStep(None, (events if events is not None else []).append)
    found: T = step.run_handler(lambda: act(step))
    return found


def test_async_functions_are_awaited_and_others_called_in_threads() -> None:
    async def where() -> int:
        return threading.get_ident()

    async def handler(step: AsyncStep) -> tuple[int, int, int]:
        here = threading.get_ident()
        return here, await step.run("a", where), await step.run("b", threading.get_ident)

    here, of_async, of_plain = in_memory(handler)
    assert here == of_async != of_plain


@pytest.mark.parametrize("fn", [double, partial(double, 4), lambda *n: double(*n or (4,))])
def test_whatever_gives_a_coroutine_is_awaited(fn: Any) -> None:
    args = () if isinstance(fn, partial) else (4,)
    assert in_memory(lambda step: step.run("a", fn, *args)) == 8


def test_steps_of_a_gather_and_of_a_task_group_are_side_by_side() -> None:
    async def handler(step: AsyncStep) -> list[int]:
        together, barrier = asyncio.Barrier(4), threading.Barrier(2)

        async def meet(n: int) -> int:
            await together.wait()
            return n

        found = await asyncio.gather(*(step.run(f"g-{n}", meet, n) for n in range(4)))
        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(step.run(f"t-{n}", meet, n)) for n in range(4)]
        await asyncio.gather(*(step.run(f"p-{n}", barrier.wait, 60) for n in range(2)))
        return found + [task.result() for task in made]

    assert in_memory(handler) == [0, 1, 2, 3] * 2


def test_a_failure_in_a_task_group_leaves_the_others_in_doubt_and_fails_one() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("no")

    async def handler(step: AsyncStep) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(step.run("fails", fail))
            tasks.create_task(step.run("waits", asyncio.sleep, 60))

    events = list[Event]()
    with pytest.raises(ExceptionGroup):
        in_memory(handler, events)
    assert [each.name for each in events if isinstance(each, StepStarted)] == ["fails", "waits"]
    assert [each.name for each in events if isinstance(each, StepFailed)] == ["fails"]
    assert not [each for each in events if isinstance(each, StepCompleted)]


def test_a_step_that_is_cancelled_has_not_failed_and_the_handler_goes_on() -> None:
    async def handler(step: AsyncStep) -> str:
        try:
            async with asyncio.timeout(0.01):
                await step.run("slow", asyncio.sleep, 60)
        except TimeoutError:
            return await step.run("other", lambda: "other")
        return "none"

    events = list[Event]()
    assert in_memory(handler, events) == "other"
    assert not [each for each in events if isinstance(each, StepFailed)]


def test_it_works_with_anyio() -> None:
    async def handler(step: AsyncStep) -> list[int]:
        found = list[int]()

        async def add(n: int) -> None:
            found.append(await step.run(f"n-{n}", double, n))

        async with anyio.create_task_group() as tasks:
            for n in range(3):
                tasks.start_soon(add, n)
            tasks.start_soon(step.run, "direct", anyio.sleep, 0)
        with anyio.move_on_after(0.01) as scope:
            await step.run("slow", anyio.sleep, 60)
        assert scope.cancelled_caught
        return sorted(found)

    assert in_memory(handler) == [0, 2, 4]


def test_a_time_limit_cancels_an_async_function_again_and_again() -> None:
    swallowed = list[int]()

    async def stubborn() -> str:
        for n in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed.append(n)
        return "done all the same"

    async def handler(step: AsyncStep) -> None:
        await step.run("stubborn", stubborn, timeout=0.01)

    with pytest.raises(StepTimeout):
        in_memory(handler)
    assert swallowed == [0, 1]


@pytest.mark.parametrize("fn", [asyncio.sleep, time.sleep])
def test_a_time_limit_is_a_failure_that_is_tried_again(fn: Any) -> None:
    events = list[Event]()

    async def handler(step: AsyncStep) -> None:
        await step.run("slow", fn, 0.3, timeout=0.01, tries=2)

    with pytest.raises(StepTimeout):
        in_memory(handler, events)
    assert len([each for each in events if isinstance(each, StepStarted)]) == 2


def test_tries_pause_while_other_tasks_go_on() -> None:
    tried = Counter[str]()

    async def once_bad(name: str) -> str:
        tried[name] += 1
        if tried[name] == 1:
            raise RetryAfter(0.01) if name == "b" else OSError(name)
        return name

    async def handler(step: AsyncStep) -> list[str]:
        retry = Retry(3, delay=0.01)
        return [*await asyncio.gather(*(step.run(n, once_bad, n, tries=retry) for n in "abc"))]

    assert in_memory(handler) == ["a", "b", "c"]
    assert tried == Counter("aabbcc")


def test_a_name_is_used_from_when_the_coroutine_is_made() -> None:
    async def handler(step: AsyncStep) -> None:
        first = step.run("a", double, 1)
        try:
            with pytest.raises(StepMisused, match=r"used twice, at .*test_async_step.py:\d+"):
                step.run("a", double, 2)
        finally:
            await first

    in_memory(handler)


def test_a_step_inside_a_step_is_refused_in_a_task_and_in_a_thread_of_it() -> None:
    async def handler(step: AsyncStep) -> list[str]:
        said = list[str]()

        async def inner() -> None:
            async def ask(name: str) -> None:
                try:
                    await step.run(name, double, 1)
                except StepMisused as error:
                    said.append(str(error))

            await ask("here")
            await asyncio.create_task(ask("task"))
            await asyncio.to_thread(lambda: asyncio.run(ask("thread")))

        await step.run("outer", inner)
        return said

    said = in_memory(handler)
    assert ["do not nest" in each for each in said] == [True] * 3


def test_a_step_beside_another_one_is_not_inside_it() -> None:
    async def handler(step: AsyncStep) -> int:
        began, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            began.set()
            await go_on.wait()

        task = asyncio.create_task(step.run("waits", wait))
        await began.wait()
        found = await step.run("beside", double, 2)
        go_on.set()
        await task
        return found

    assert in_memory(handler) == 4


def test_one_that_nobody_awaits_fails_the_run_and_is_said_in_a_note_of_another_failure() -> None:
    async def forgets(step: AsyncStep) -> None:
        step.run("lost", double, 1)

    async def trips(step: AsyncStep) -> int:
        return len(step.scope("one").run("lost", double, 1))  # type: ignore[arg-type]

    with pytest.raises(StepMisused, match=r"asked for at .*test_async_step\.py:\d+, and"):
        in_memory(forgets)
    with pytest.raises(TypeError) as raised:
        in_memory(trips)
    (note,) = raised.value.__notes__
    assert "step 'one.lost' was asked for at " in note
    assert "write await in front of it" in note


def test_the_end_of_the_handler_waits_for_steps_in_flight() -> None:
    done = list[str]()

    async def handler(step: AsyncStep) -> None:
        async def act(name: str) -> None:
            await asyncio.sleep(0.05)
            done.append(name)

        def plain(name: str) -> None:
            time.sleep(0.05)
            done.append(name)

        tasks = [
            asyncio.create_task(step.run("a", act, "a")),
            asyncio.create_task(step.run("b", plain, "b")),
        ]
        assert len(tasks) == 2

    events = list[Event]()
    in_memory(handler, events)
    assert sorted(done) == ["a", "b"]
    assert sorted(e.name for e in events if isinstance(e, StepCompleted)) == ["a", "b"]


def test_the_end_waits_for_a_function_whose_task_was_cancelled() -> None:
    done, begun, go_on = list[str](), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(60)
        time.sleep(0.05)
        done.append("slow")

    async def handler(step: AsyncStep) -> None:
        task = asyncio.create_task(step.run("slow", slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not done
        go_on.set()

    in_memory(handler)
    assert done == ["slow"]


def test_a_step_behind_the_end_is_refused() -> None:
    steps = list[AsyncStep]()

    async def handler(step: AsyncStep) -> None:
        steps.append(step)

    in_memory(handler)
    with pytest.raises(RunEnded):
        steps[0].run("late", double, 1)


def test_one_on_another_loop_is_refused() -> None:
    async def handler(step: AsyncStep) -> None:
        there = step.run("a", double, 1)
        with pytest.raises(StepMisused, match="another event loop"):
            await asyncio.to_thread(asyncio.run, there)

    in_memory(handler)


def test_a_plain_function_has_the_context_of_its_task() -> None:
    async def handler(step: AsyncStep) -> list[str]:
        ROW.set("x")
        return [await step.run("a", ROW.get), *await step.map("m", lambda n: ROW.get(), [1, 2])]

    assert in_memory(handler) == ["x"] * 3


def test_items_of_a_map_do_not_see_what_another_one_has_set() -> None:
    async def act(n: int) -> str:
        before = ROW.get()
        ROW.set(str(n))
        return before

    assert in_memory(lambda step: step.map("m", act, range(20), concurrency=2)) == ["none"] * 20


def test_so_many_items_are_in_flight_and_no_more() -> None:
    now = most = 0

    async def act(n: int) -> int:
        nonlocal now, most
        now += 1
        most = max(now, most)
        await asyncio.sleep(0.001)
        now -= 1
        return n

    assert in_memory(lambda step: step.map("m", act, range(100), concurrency=7)) == [*range(100)]
    assert most == 7


def test_a_map_of_plain_functions_has_as_many_threads_as_it_asks_for() -> None:
    together = threading.Barrier(100)
    found = in_memory(
        lambda step: step.map("m", lambda n: together.wait(60), range(100), concurrency=100)
    )
    assert sorted(found) == [*range(100)]


def test_a_map_that_is_cancelled_cancels_its_items() -> None:
    cancelled = list[int]()

    async def act(n: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(n)
            raise

    async def handler(step: AsyncStep) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await step.map("m", act, range(9), concurrency=3)

    in_memory(handler)
    assert sorted(cancelled) == [0, 1, 2]


def test_an_item_that_cancels_itself_ends_the_map() -> None:
    async def act(n: int) -> int:
        if n == 3:
            raise asyncio.CancelledError
        return n

    with pytest.raises(asyncio.CancelledError):
        in_memory(lambda step: step.map("m", act, range(9), concurrency=2))


def test_what_is_of_the_other_form_is_refused_with_what_to_write() -> None:
    async def handler(step: AsyncStep) -> None:
        def plain(step: AsyncStep, item: int) -> None: ...

        async def on_connection(connection: object) -> None: ...

        async def some() -> Any:
            yield 1

        with pytest.raises(StepMisused, match="write async def"):
            await step.for_each("each", plain, [1])  # type: ignore[type-var]
        with pytest.raises(StepMisused, match="transaction is a plain one"):
            await step.transaction("t", "a.db", on_connection)
        with pytest.raises(StepMisused, match="async generator"):
            await step.run("g", some)

    in_memory(handler)
    with pytest.raises(StepMisused, match="`async def`, with `step: AsyncStep`"):
        Step().run("a", double, 1)
    with pytest.raises(StepMisused, match="`async def`, with `step: AsyncStep`"):
        Step().for_each("a", double, [1])  # type: ignore[arg-type]


def test_handlers_with_the_step_of_the_other_form_are_refused_with_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"write async def first\(step: AsyncStep, payload\)"):

        @define_job
        async def first(step: Step, payload: int) -> None: ...

    with pytest.raises(TypeError, match=r"async def second\(step: AsyncStep\), or take a Step"):

        @define_job  # type: ignore[arg-type]
        def second(step: AsyncStep) -> None: ...

    @define_job
    async def third(step: AsyncStep) -> int:
        return await step.run("a", double, 1)

    assert asyncio.run(third(AsyncStep())) == 2
    with pytest.raises(TypeError, match=r"call it with an AsyncStep\(\)"):
        third(Step())  # type: ignore[arg-type]


def test_an_async_job_is_not_triggered_on_a_loop() -> None:
    @define_job
    async def work(step: AsyncStep) -> int:
        return 1

    async def main() -> None:
        work.trigger()

    with pytest.raises(TypeError, match=r"await asyncio.to_thread\(job.trigger"):
        asyncio.run(main())


def test_the_types_of_both_steps_have_the_same_parameters() -> None:
    import ast
    from pathlib import Path

    import durably_cli.steps.async_step as module

    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    (declared,) = (node for node in stub.body if isinstance(node, ast.ClassDef))
    names = dict[str, list[str]]()
    for node in declared.body:
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            args = node.args
            found = [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
            known = names.setdefault(node.name, found)
            assert found[: len(known)] == known  # an overload may take more
            names[node.name] = found
    in_step = set().union(*map(vars, Step.__mro__[:3]))
    real = {
        name: list(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(Step, inspect.isfunction)
        if not name.startswith("_") and name in in_step
    }
    for one in real.values():
        if "args" in one:
            one.remove("args")
    assert names == real


def test_when_the_handler_raises_steps_of_other_tasks_are_cancelled() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def handler(step: AsyncStep) -> None:
        await asyncio.gather(step.run("forever", asyncio.sleep, 600), step.run("fails", fail))

    with pytest.raises(ValueError, match="no"):
        in_memory(handler)


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
@pytest.mark.parametrize("beside", [False, True])
def test_leaving_by_sys_exit_is_a_failure_of_its_step(
    beside: bool, options: dict[str, Any]
) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def handler(step: AsyncStep) -> None:
        left = step.run("leaves", leave, **options)
        if beside:
            await asyncio.gather(left, step.run("waits", asyncio.sleep, 600))
        await left

    events = list[Event]()
    with pytest.raises(SystemExit, match="3"):
        in_memory(handler, events)
    assert [each.name for each in events if isinstance(each, StepFailed)] == ["leaves"]


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_an_anyio_scope_waits_for_what_a_step_tidies_up(options: dict[str, Any]) -> None:
    done = list[str]()

    async def act(name: str) -> None:
        try:
            await anyio.sleep(600)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
                done.append(name)

    async def handler(step: AsyncStep) -> None:
        with anyio.move_on_after(0.02):
            await step.run("a", act, "a", **options)
        done.append("behind a")
        with anyio.move_on_after(0.02):
            await step.map("m", act, ["b", "c"], **options)
        done.append("behind m")

    in_memory(handler)
    assert (done[:2], sorted(done[2:4]), done[4]) == (["a", "behind a"], ["b", "c"], "behind m")


def test_a_body_may_be_anything_that_gives_what_is_to_be_awaited() -> None:
    async def body(step: AsyncStep, item: int, more: int) -> int:
        return await step.run("double", double, item) + more

    found = in_memory(lambda step: step.for_each("m", lambda s, n: body(s, n, 1), [1, 2]))
    assert found == [3, 5]


def test_what_a_task_says_behind_its_step_is_of_no_step() -> None:
    async def handler(step: Any) -> list[str | None]:
        said = list[str | None]()

        async def later() -> None:
            await asyncio.sleep(0.01)
            said.append(step.running)
            await step.run("later", double, 1)

        async def act() -> None:
            said.append(step.running)
            tasks.append(asyncio.create_task(later()))

        tasks = list[asyncio.Task[None]]()
        await step.run("act", act)
        await asyncio.gather(*tasks)
        return said

    assert in_memory(handler) == ["act", None]
