"""A resumed handler sees the failures that the handler before it lived on after, and no others.

Each handler is killed behind each of its events, mended before or after the next attempt, and
resumed until it completes. Once it is mended, one resume by a person is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from durably_cli.journal.state import Status
from durably_cli.steps.async_step import AsyncStep
from durably_cli.steps.step import Step
from tests.harness.attempts import Handler, Trial, World
from tests.harness.made_async import made_async
from tests.harness.quick import drawn, quick_or_some


def fallback(step: Step, world: World) -> None:
    try:
        step.run("primary", world.fail, "primary")
    except RuntimeError:
        step.run("fallback", world.do, "fallback")
    step.run("later", world.do, "later")


def fallback_and_a_later_failure(step: Step, world: World) -> None:
    fallback(step, world)
    step.run("last", world.fail, "last")


def fallback_that_fails(step: Step, world: World) -> None:
    try:
        step.run("primary", world.fail, "primary")
    except RuntimeError:
        step.run("other", world.fail, "other")


def cleanup(step: Step, world: World) -> None:
    try:
        step.run("primary", world.fail, "primary")
    finally:
        step.run("cleanup", world.do, "cleanup")


def notice_and_raise(step: Step, world: World) -> None:
    try:
        step.run("primary", world.fail, "primary")
    except RuntimeError:
        step.run("notice", world.do, "notice")
        raise


def note_and_raise_another(step: Step, world: World) -> None:
    try:
        step.run("primary", world.fail, "primary")
    except RuntimeError:
        step.run("note", world.do, "note")
        raise ValueError("it went wrong") from None


def collected(step: Step, world: World) -> list[Exception]:
    errors = list[Exception]()
    for name in "abc":
        try:
            step.run(name, world.do if name == "b" else world.fail, name)
        except RuntimeError as error:
            errors.append(error)
    return errors


def first_of_several(step: Step, world: World) -> None:
    if errors := collected(step, world):
        raise errors[0]


def all_of_several(step: Step, world: World) -> None:
    if errors := collected(step, world):
        raise ExceptionGroup("several", errors)


def exit_with_a_count(step: Step, world: World) -> None:
    if errors := collected(step, world):
        raise SystemExit(f"{len(errors)} failed")


def fallback_and_a_bug(step: Step, world: World) -> None:
    fallback(step, world)
    if not world.is_mended:
        raise ValueError("a bug in the handler")


HANDLERS: list[Handler] = [
    fallback,
    fallback_that_fails,
    cleanup,
    notice_and_raise,
    all_of_several,
    fallback_and_a_bug,
    fallback_and_a_later_failure,
    note_and_raise_another,
    first_of_several,
    exit_with_a_count,
]


def trials(handler: Handler, folder: Path, every: int = 1) -> int:
    """Try it in all ways, or in one of so many; how many there were."""
    tried = 0
    for mended_before in (True, False):
        for kill_after in drawn(every):
            trial = Trial(handler, folder / f"{mended_before}-{kill_after}")
            was_killed = not trial.begin(kill_after)
            if not mended_before:
                trial.resume()
            trial.world.mend()
            trial.resume()
            assert trial.status is Status.COMPLETED, (kill_after, mended_before)
            effects = trial.world.effects
            assert not {"primary", "fallback"} <= {*effects}, (kill_after, mended_before)
            tried += 1
            if not was_killed:
                break
    return tried


def check_all(handler: Handler, every: int, folder: Path) -> None:
    assert trials(handler, folder, every) > 10 // (2 * every - 1)


@quick_or_some([fallback, cleanup, all_of_several, fallback_and_a_bug], 4, HANDLERS)
def test_killed_anywhere_and_mended_one_resume_completes_it_and_no_fallback_happens_twice(
    handler: Handler, every: int, tmp_path: Path
) -> None:
    check_all(handler, every, tmp_path)


class FromAPool:
    """A step whose functions are called in the threads of a pool, beside another step each time."""

    def __init__(self, step: Step, world: World, pool: ThreadPoolExecutor) -> None:
        self._step, self._world, self._pool = step, world, pool

    def run(self, name: str, fn: Callable[[str], str], given: str) -> str:
        beside = self._pool.submit(self._step.run, f"beside {name}", self._world.do, f"b-{name}")
        try:
            return self._pool.submit(self._step.run, name, fn, given).result()
        finally:
            beside.result()


def in_threads(handler: Handler) -> Handler:
    """The same handler, with its steps in other threads."""

    def call(step: Step, world: World) -> object:
        with ThreadPoolExecutor(4) as pool:
            return handler(cast("Step", FromAPool(step, world, pool)), world)

    return call


@quick_or_some([fallback], 4, HANDLERS)
def test_with_steps_in_threads_it_is_the_same(handler: Handler, every: int, tmp_path: Path) -> None:
    check_all(in_threads(handler), every, tmp_path)


class FromTasks:
    """A step whose functions are async ones, each beside that of another step."""

    def __init__(self, step: AsyncStep, world: World) -> None:
        self._step, self._world = step, world

    async def run(self, name: str, fn: Callable[[str], str], given: str) -> str:
        async def act(name: str) -> str:
            await asyncio.sleep(0)
            return fn(name)

        beside = self._step.run(f"beside {name}", self._world.do, f"b-{name}")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(beside)
            done = await asyncio.gather(self._step.run(name, act, given), return_exceptions=True)
        if isinstance(done[0], BaseException):
            raise done[0]
        return done[0]


def in_tasks(handler: Handler) -> Handler:
    """The same handler as an async one, with its steps in tasks."""

    async def call(step: AsyncStep, world: World) -> object:
        return await made_async(handler)(FromTasks(step, world), world)

    return cast("Handler", call)


@quick_or_some([fallback], 4, HANDLERS)
@pytest.mark.parametrize("form", [made_async, pytest.param(in_tasks, marks=pytest.mark.long)])
def test_async_it_is_the_same(
    form: Callable[[Handler], Handler], handler: Handler, every: int, tmp_path: Path
) -> None:
    check_all(form(handler), every, tmp_path)


def flagged(step: Step, world: World) -> None:
    is_done = False
    try:
        step.run("primary", world.fail, "primary")
        is_done = True
    except RuntimeError:
        pass
    if not is_done:
        step.run("fallback", world.do, "fallback")
    step.run("later", world.do, "later")


def flagged_and_a_bug(step: Step, world: World) -> None:
    flagged(step, world)
    if not world.is_mended:
        raise ValueError("a bug in the handler")


def test_a_fallback_chosen_by_a_flag_is_as_safe_from_a_kill(tmp_path: Path) -> None:
    check_all(flagged, 1, tmp_path)


def test_only_by_a_flag_and_with_an_error_that_came_from_no_step_both_happen(
    tmp_path: Path,
) -> None:
    trial = Trial(flagged_and_a_bug, tmp_path)
    trial.begin()
    trial.world.mend()
    trial.resume()
    assert trial.world.effects == ["fallback", "later", "primary"]


def killed_behind_the_fallback(handler: Handler, folder: Path) -> Trial:
    trial = Trial(handler, folder)
    assert not trial.begin(kill_after=5)
    assert trial.world.effects == ["fallback"]
    return trial


def test_a_person_can_have_a_carried_failure_executed_again(tmp_path: Path) -> None:
    trial = killed_behind_the_fallback(fallback, tmp_path)
    trial.world.mend()
    assert not trial.resume(kill_after=2, redo=("primary",)), "behind step.discarded"
    trial.resume()
    assert trial.status is Status.COMPLETED
    assert trial.world.effects == ["fallback", "primary", "later"]


CARRIED: dict[str, Callable[[], Exception]] = {
    "its arguments": lambda: KeyError("x", 1),
    "the file of an OSError": lambda: FileNotFoundError(2, "No such file", "/nowhere"),
    "attributes": lambda: WithAttributes("text", 404),
    "notes": lambda: noted(ValueError("x")),
}


class WithAttributes(Exception):
    """Its `__init__` takes something else than `args` say, and has an effect."""

    made = 0

    def __init__(self, text: str, code: int) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code
        type(self).made += 1


def noted(error: Exception) -> Exception:
    error.add_note("a note")
    return error


@pytest.mark.parametrize("name", CARRIED)
def test_a_carried_failure_is_raised_as_the_exception_that_it_was(
    name: str, tmp_path: Path
) -> None:
    def explode() -> None:
        raise CARRIED[name]()

    def handler(step: Step, world: World) -> None:
        before = WithAttributes.made
        try:
            step.run("primary", explode)
        except Exception as error:
            facts = [
                type(error),
                str(error),
                getattr(error, "filename", 0),
                vars(error).get("code"),
            ]
            world.do(repr(facts).replace(" ", ""))
            world.do(str(WithAttributes.made - before))
            assert step.attempt == 1 or "replayed" in error.__notes__[-1]
        step.run("after", world.do, "after")

    trial = Trial(handler, tmp_path)
    assert not trial.begin(kill_after=4)
    trial.resume()
    first, made, again, made_again, after = trial.world.effects
    assert first == again
    assert made_again == "0" <= made
    assert after == "after"


class SaysMore(Exception):
    """What it says is of something that no JSON holds."""

    def __init__(self, items: set[str]) -> None:
        super().__init__("text")
        self.items = items

    def __str__(self) -> str:
        return f"text:{self.items!r}"


class Local(Exception):
    __qualname__ = "somewhere.<locals>.Local"


@pytest.mark.parametrize("error", [Local("text"), SaysMore({"a"})], ids=lambda e: type(e).__name__)
def test_one_that_cannot_be_made_again_comes_as_a_step_error_with_its_text(
    error: Exception, tmp_path: Path
) -> None:
    def explode() -> None:
        raise error

    def handler(step: Step, world: World) -> None:
        try:
            step.run("primary", explode)
        except Exception as raised:
            world.do(f"{type(raised).__name__}({raised})".replace(" ", ""))
        step.run("after", world.do, "after")

    trial = Trial(handler, tmp_path)
    assert not trial.begin(kill_after=4)
    trial.resume()
    name, text = type(error).__qualname__, str(error)
    assert trial.world.effects == [
        f"{type(error).__name__}({text})",
        f"StepError({name}:{text})",
        "after",
    ]


def test_one_too_large_for_a_line_is_carried_all_the_same(tmp_path: Path) -> None:
    def act(world: World) -> None:
        if not world.is_mended:
            raise ValueError("x" * 60_000)
        world.do("primary")

    def handler(step: Step, world: World) -> None:
        try:
            step.run("primary", act, world)
        except Exception as error:
            step.run("fallback", world.do, f"fallback:{type(error).__name__}")
        step.run("later", world.do, "later")

    trial = Trial(handler, tmp_path)
    assert not trial.begin(kill_after=5)
    trial.world.mend()
    trial.resume()
    assert trial.world.effects == ["fallback:ValueError", "later"]


class Numbered(Exception):
    """Each has a number, which counts up."""

    numbers = count()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.number = next(self.numbers)


def test_no_step_is_executed_twice_at_once(tmp_path: Path) -> None:
    def fail(world: World, name: str) -> None:
        world.do(name)
        raise Numbered(name)

    def handler(step: Step, world: World) -> None:
        errors = list[Numbered]()
        for name in "abc":
            try:
                step.run(name, fail, world, name)
            except Numbered as error:
                errors.append(error)
        raise min(errors, key=lambda error: error.number)

    trial = Trial(handler, tmp_path)
    assert not trial.begin(kill_after=7), "behind the failure of c"
    trial.resume()
    assert trial.status is Status.FAILED
    assert max(map(trial.world.effects.count, "ab")) <= 2


def test_an_attempt_in_which_another_step_failed_has_tried_something_new(tmp_path: Path) -> None:
    trial = Trial(exit_with_a_count, tmp_path)
    assert not trial.begin(kill_after=5), "behind b"
    trial.resume()
    with trial.view() as view:
        assert len(view.state.attempts) == 2
    assert trial.status is Status.FAILED


class Kind(StrEnum):
    DOWN = "down"


class Odd(Exception):
    """Of these attributes JSON makes something else, or nothing."""

    answer: object = None
    other: object

    def __init__(self, **attributes: object) -> None:
        super().__init__("text")
        vars(self).update(attributes)


class Slots(Exception):
    __slots__ = ("answer",)
    other: object

    def __init__(self, answer: object) -> None:
        super().__init__("text")
        self.answer = answer


ODD: list[Callable[[], Exception]] = [
    lambda: Odd(answer=Kind.DOWN),
    lambda: Odd(answer=(1, 2)),
    lambda: Odd(other=object()),
    lambda: Slots(1),
    lambda: Odd(answer=object()),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_what_may_be_another_exception_now_has_no_second_branch_taken_unasked(
    number: int, tmp_path: Path
) -> None:
    def act(world: World) -> None:
        world.do("primary")
        raise ODD[number]()

    def handler(step: Step, world: World) -> None:
        try:
            step.run("primary", act, world)
        except (Odd, Slots) as error:
            if type(error.answer) in (Kind, tuple, int, object) or error.other is not None:
                step.run("fallback", world.do, "fallback")
            else:
                step.run("another fallback", world.do, "another")
        step.run("later", world.do, "later")

    trial = Trial(handler, tmp_path)
    assert not trial.begin(kill_after=5)
    trial.resume()
    assert trial.status is Status.FAILED
    assert trial.world.effects == ["primary", "fallback"]


class Nothing(Exception):
    """It answers no question."""

    def __getattribute__(self, name: str) -> object:
        raise LookupError(name)


def test_a_step_whose_exception_answers_no_question_fails_as_any(tmp_path: Path) -> None:
    def explode() -> None:
        raise Nothing

    trial = Trial(lambda step, world: step.run("primary", explode), tmp_path)
    assert trial.begin()
    with trial.view() as view:
        assert (view.status, view.state.causes) == (Status.FAILED, ["primary"])
