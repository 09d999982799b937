"""A step in memory: run, replay, and what is refused."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from durably_cli import Step, StepMisused, ValueRefused
from durably_cli.errors import Interrupted, JournalLost
from durably_cli.journal import codec
from durably_cli.journal.events import LogWritten, ProgressReported
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.render.lines import share
from durably_cli.steps.causes import steps_of
from durably_cli.values.strict_json import Json, to_json
from tests.harness import strategies


class User(BaseModel):
    id: int


def user(number: int) -> User:
    return User(id=number)


def results_of(events: list[Event]) -> dict[str, Json]:
    return {event.name: event.result for event in events if isinstance(event, StepCompleted)}


def test_a_step_is_started_before_its_function_and_completed_after() -> None:
    events: list[Event] = []
    seen: list[list[str]] = []
    step = Step({}, events.append)
    step.run("one", lambda: seen.append([type(event).__name__ for event in events]))
    assert seen == [["StepStarted"]]
    assert [type(event) for event in events] == [StepStarted, StepCompleted]


def test_a_replay_gives_an_equal_value_of_an_equal_type_and_calls_nothing() -> None:
    events: list[Event] = []
    first = Step({}, events.append).run("user", user, 7)
    replayed: list[str] = []
    again: list[Event] = []
    step = Step(results_of(events), again.append, attempt=2, replayed=replayed.append)
    second = step.run("user", user, 8)
    assert first == second == User(id=7)
    assert type(second) is User
    assert again == []
    assert replayed == ["user"]


def test_the_first_run_gets_what_json_gives_back_too() -> None:
    value = [1, 2]
    back = Step().run("list", lambda: value)
    assert back == value
    assert back is not value


@given(st.lists(st.tuples(strategies.names, strategies.values), unique_by=lambda pair: pair[0]))
def test_any_job_replays_to_the_same_values_from_any_point(pairs: list[tuple[str, Any]]) -> None:
    events: list[Event] = []
    step = Step({}, events.append)
    values = [step.run(name, lambda value=value: value) for name, value in pairs]  # type: ignore[misc]
    for done in range(len(events) + 1):
        again = Step(results_of(events[:done]), lambda event: None)
        assert repr([again.run(name, lambda value=value: value) for name, value in pairs]) == repr(  # type: ignore[misc]
            values
        )


def test_a_step_that_fails_raises_its_own_exception_and_is_recorded_with_the_users_frames() -> None:
    events: list[Event] = []
    step = Step({}, events.append)

    def explode() -> None:
        raise ValueError("boom \ud800")

    with pytest.raises(ValueError) as caught:
        step.run("bomb", explode)
    failed = events[-1]
    assert isinstance(failed, StepFailed)
    assert failed.error.type == "ValueError"
    assert failed.error.message == "boom \\ud800"
    assert "in explode" in failed.error.traceback
    assert "durably_cli" not in failed.error.traceback
    assert steps_of(caught.value) == ["bomb"]
    assert steps_of(ValueError("other")) == []


def test_a_failure_is_not_replayed() -> None:
    events: list[Event] = []
    with pytest.raises(ZeroDivisionError):
        Step({}, events.append).run("one", lambda: 1 / 0)
    assert Step(results_of(events)).run("one", lambda: "now it works") == "now it works"


def test_an_interrupt_leaves_the_step_in_doubt() -> None:
    events: list[Event] = []

    def stop() -> None:
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        Step({}, events.append).run("one", stop)
    assert [type(event) for event in events] == [StepStarted]


def test_a_name_that_is_used_twice_is_an_error_that_shows_both_places() -> None:
    step = Step()
    step.run("same", lambda: 1)
    with pytest.raises(StepMisused) as caught:
        step.run("same", lambda: 2)
    assert str(caught.value).count("test_step.py:") == 2


def test_a_name_that_was_replayed_cannot_be_used_again() -> None:
    step = Step({"same": Json("1")})
    assert step.run("same", lambda: 2) == 1
    with pytest.raises(StepMisused):
        step.run("same", lambda: 2)


@pytest.mark.parametrize("name", ["", "\ud800", 5, None])
def test_a_name_that_cannot_be_written_is_refused(name: Any) -> None:
    with pytest.raises(StepMisused, match="must be a text"):
        Step().run(name, lambda: 1)
    with pytest.raises(StepMisused, match=r"the name comes before .*: step.run\('len', len, ...\)"):
        Step().run(len, 1)  # type: ignore[call-overload]


def test_a_nested_step_is_refused() -> None:
    step = Step()
    with pytest.raises(StepMisused, match="steps do not nest"):
        step.run("outer", lambda: step.run("inner", lambda: 1))
    with pytest.raises(StepMisused, match=r"use step\.for_each, whose items may have steps"):
        step.map("each", lambda n: step.run("inner", lambda: n), [1])


async def coroutine() -> int:
    return 1


class Remote:
    """As proxies of remote procedures are: whatever it is asked for, it has."""

    def __getattr__(self, name: str) -> Remote:
        return Remote()

    def __call__(self, number: int) -> int:
        return number + 1


def test_a_proxy_that_has_every_attribute_can_be_a_step() -> None:
    assert Step().run("one", Remote(), 1) == 2


def test_an_async_step_is_refused_before_it_is_called_or_at_its_coroutine() -> None:
    events: list[Event] = []
    with pytest.raises(StepMisused, match="async"):
        Step({}, events.append).run("one", coroutine)
    assert events == []
    with pytest.raises(StepMisused, match="async"):
        Step({}, events.append).run("one", lambda: coroutine())
    assert Step().run("one", lambda: asyncio.run(coroutine())) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (7, "given a value of type int, and no function; step.run calls it itself"),
        (None, "given None, and no function"),
        (user(1), "given a value of type User"),
    ],
)
def test_what_its_function_returned_is_no_function(given: Any, said: str) -> None:
    events: list[Event] = []
    with pytest.raises(StepMisused) as caught:
        Step({}, events.append).run("one", given)
    assert said in str(caught.value)
    assert "step.run('one', f, 1), not step.run('one', f(1))" in str(caught.value)
    assert events == []


def test_a_coroutine_in_its_place_is_refused(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(StepMisused, match=r"step.run\('one', f, 1\), not"):
        Step().run("one", coroutine())  # type: ignore[arg-type]
    assert not list(recwarn)  # that it was never awaited


def forgets(number: int) -> dict[str, int]: ...


def test_a_forgotten_return_is_said_with_the_function() -> None:
    with pytest.raises(ValueRefused) as caught:
        Step().run("one", forgets, 1)
    place = f"{__file__}:{forgets.__code__.co_firstlineno}"
    assert str(caught.value) == (
        f"the result of step 'one' ({place}) cannot be kept: it is None, and its declared type is "
        "dict[str, int]; is a `return` missing?"
    )


def test_another_thread_may_log_and_report_progress() -> None:
    events: list[Event] = []
    step = Step({}, events.append)
    for act in (lambda: step.log.info("from a thread"), lambda: step.progress(1)):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    assert [type(event) for event in events] == [LogWritten, ProgressReported]


def test_a_forked_child_cannot_use_its_parents_step() -> None:
    step = Step()
    child = os.fork()
    if child == 0:
        try:
            step.run("one", lambda: 1)
        except StepMisused:
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_result_that_json_changes_names_the_step_the_path_and_the_fix() -> None:
    events: list[Event] = []
    with pytest.raises(ValueRefused) as caught:
        Step({}, events.append).run("pair", lambda: {"a": (1, 2)})
    line = test_a_result_that_json_changes_names_the_step_the_path_and_the_fix.__code__
    assert str(caught.value) == (
        f"the result of step 'pair' ({__file__}:{line.co_firstlineno + 3}) cannot be kept: at "
        "$['a'], a tuple would come back as a list: return a list, or declare the tuple as the "
        "return type"
    )
    assert isinstance(events[-1], StepFailed)


def test_returns_declares_the_type_where_the_function_does_not() -> None:
    assert Step().run("pair", lambda: (1, 2), returns=tuple[int, int]) == (1, 2)


def test_a_journalled_result_that_no_longer_fits_its_type_says_so() -> None:
    with pytest.raises(StepMisused, match="no longer fits the type"):
        Step({"user": Json('{"name":"Ann"}')}).run("user", user, 1)


def test_log_lines_reach_the_journal_and_the_standard_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events: list[Event] = []
    step = Step({}, events.append)
    with caplog.at_level(logging.INFO):
        step.log.info("fetched", count=3)
        step.log.warn("odd", what={1, 2}, nan=float("nan"), text="\ud800")
        step.run("one", lambda: step.log.error("bad"))
    lines = [event for event in events if isinstance(event, LogWritten)]
    assert [(line.level, line.message, line.step) for line in lines] == [
        ("info", "fetched", None),
        ("warn", "odd", None),
        ("error", "bad", "one"),
    ]
    assert lines[0].data == {"count": 3}
    assert lines[1].data == {"what": "{1, 2}", "nan": "nan", "text": "'\\ud800'"}
    to_json(lines[1].data)
    assert caplog.records[0].getMessage() == "fetched count=3"
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR"]


def test_progress_is_recorded() -> None:
    events: list[Event] = []
    Step({}, events.append).progress(3, 10, "files")
    (event,) = events
    assert isinstance(event, ProgressReported)
    assert (event.current, event.total, event.message) == (3, 10, "files")


@pytest.mark.parametrize("number", ["3", None, math.nan, math.inf])
def test_progress_takes_numbers_alone(number: Any) -> None:
    events: list[Event] = []
    with pytest.raises(TypeError, match="takes numbers"):
        Step({}, events.append).progress(number)
    with pytest.raises(TypeError):
        Step({}, events.append).progress(1, number or "")
    assert events == []


def test_log_data_may_have_any_name_and_any_value() -> None:
    class Sly:
        def __repr__(self) -> str:
            raise RuntimeError

    events: list[Event] = []
    Step({}, events.append).log.info("said", message="m", level=1, odd=Sly(), half="\ud800")
    (event,) = events
    assert isinstance(event, LogWritten)
    assert event.data["message"] == "m"
    assert "repr fails" in event.data["odd"]
    assert codec.encode(0, event, 0)


def test_a_step_knows_its_run_and_attempt() -> None:
    step = Step(run_id="abc", attempt=3)
    assert (step.run_id, step.attempt) == ("abc", 3)
    assert Step().attempt == 1


@pytest.mark.parametrize(
    ("current", "total", "done"),
    [
        *((1, 3, 1 / 3), (15, 10, 1.0), (-1, 10, 0.0), (1, None, None), (1, 0, None)),
        *((1e308, 1e-300, 1.0), (10**308, 1, 1.0), (1, -1e-320, 0.0), (2**64, 2**65, 0.5)),
    ],
)
def test_progress_of_any_extreme_is_a_share(
    current: float, total: float | None, done: float | None
) -> None:
    events: list[Event] = []
    step = Step({}, events.append)
    step.progress(current, total)
    (event,) = events
    assert isinstance(event, ProgressReported)
    assert (event.current, event.total) == (current, total)
    assert share(event) == done


@pytest.mark.parametrize("number", [math.nan, math.inf, 10**400, "1", None, 1j])
def test_progress_that_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(TypeError, match="numbers that a float can hold"):
        Step().progress(number)


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit, StopAsyncIteration])
def test_exceptions_that_no_generator_passes_on_are_failures_like_any(
    kind: type[BaseException],
) -> None:
    events: list[Event] = []
    step = Step({}, events.append)

    def explode() -> None:
        raise kind("boom")

    with pytest.raises(kind) as caught:
        step.run("bomb", explode)
    assert type(events[-1]) is StepFailed
    assert caught.value.__context__ is None
    assert steps_of(caught.value) == ["bomb"]


def test_a_dict_whose_items_raise_stop_iteration_fails_its_step() -> None:
    class Odd(dict[str, int]):
        def items(self) -> Any:
            raise StopIteration("no items")

    events: list[Event] = []
    with pytest.raises((StopIteration, ValueRefused)):
        Step({}, events.append).run("odd", lambda: Odd(a=1))
    assert type(events[-1]) is StepFailed


def test_the_name_of_a_step_is_a_plain_text_whatever_its_class_says_of_it() -> None:
    class Name(str):
        def isascii(self) -> bool:
            return True

    events: list[Event] = []
    step = Step({}, events.append)
    step.run(Name("one"), int)
    assert all(type(event.name) is str for event in events if isinstance(event, StepStarted))
    with pytest.raises(StepMisused):
        step.run(Name("\ud800"), int)


def test_a_lost_journal_stops_the_attempt_wherever_it_is_noticed() -> None:
    def lose(event: Event) -> None:
        raise JournalLost("no space left")

    for notice in (
        lambda step: step.run("one", int),
        lambda step: step.log.info("line"),
        lambda step: step.progress(1),
    ):
        step = Step({}, lose)
        with pytest.raises(JournalLost):
            notice(step)
        with pytest.raises(JournalLost, match="no space left"):
            step.run("another", int)


def test_the_lost_journal_of_another_run_does_not_stop_this_one() -> None:
    step = Step()

    def trigger_another() -> None:
        raise JournalLost("of the other run")

    with pytest.raises(JournalLost):
        step.run("trigger", trigger_another)
    assert step.run("go on", int) == 0
