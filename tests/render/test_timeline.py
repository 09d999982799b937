"""When steps were executed: attempts one behind the other, and what is shown of many steps."""

from __future__ import annotations

import pytest

from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    RunCompleted,
    RunCreated,
    RunInterrupted,
    RunStarted,
)
from durably_cli.journal.fold import fold
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.render.timeline import Execution, Gap, calls, pick, stretches
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN


def at(seconds: float, hour: int = 10) -> str:
    return f"2026-11-24T{hour}:00:{seconds:06.3f}Z"


EVENTS: list[Event] = [
    RunCreated(FORMAT, RUN, "job", Json("{}"), at(0)),
    RunStarted(1, 1, "h", at(1)),
    StepStarted("one", at(2)),
    StepCompleted("one", 1000, Json("1"), at(3)),
    StepStarted("two", at(4)),
    RunStarted(2, 1, "h", at(0, 11)),
    StepStarted("two", at(1, 11)),
    StepFailed("two", 500, ErrorInfo("ValueError", "no"), at(1.5, 11)),
    RunInterrupted("SIGTERM", at(2, 11)),
    RunStarted(3, 1, "h", at(0, 12)),
    StepStarted("two", at(0.25, 12)),
    StepCompleted("two", 250, Json("2"), at(0.5, 12)),
    RunCompleted(Json("3"), at(1, 12)),
]


def drawn(events: list[Event], now: str | None = None) -> list[tuple[object, ...]]:
    found = stretches(fold(events).attempts, now)
    each_call = calls(events, found, is_running=now is not None)
    return [each[:5] for each in each_call if isinstance(each, Execution)]


def test_attempts_stand_one_behind_the_other_without_the_time_between_them() -> None:
    assert [stretch[0::2] for stretch in stretches(fold(EVENTS).attempts)] == [
        (1, 0.0),
        (2, 3.0),
        (3, 5.0),
    ]
    assert drawn(EVENTS) == [
        (1, "one", "completed", 1.0, 1.0),
        (1, "two", "in doubt", 3.0, 0.0),
        (2, "two", "failed", 4.0, 0.5),
        (3, "two", "completed", 5.25, 0.25),
    ]


def test_the_step_that_runs_lasts_until_now() -> None:
    assert drawn(EVENTS[:5], now=at(9))[-1] == (1, "two", "running", 3.0, 5.0)


@pytest.mark.parametrize("length", range(1, len(EVENTS) + 1))
def test_any_first_part_of_a_journal_can_be_drawn(length: int) -> None:
    begun = sum(isinstance(event, StepStarted) for event in EVENTS[:length])
    assert len(drawn(EVENTS[:length])) == begun


def made(count: int, slow: int, failed: int, *, last_of_first: int) -> list[Execution]:
    return [
        Execution(
            1 if index < last_of_first else 2,
            f"step-{index}",
            "failed" if index == failed else "completed",
            index,
            9.0 if index == slow else 0.001,
            at(0),
        )
        for index in range(count)
    ]


def test_of_many_the_first_the_last_the_slowest_and_the_failed_are_picked() -> None:
    found = pick(
        made(1000, slow=300, failed=700, last_of_first=500), head=2, tail=2, slowest=1, failures=3
    )
    assert [each.left_out if isinstance(each, Gap) else each.name for each in found] == [
        *("step-0", "step-1", 298, "step-300", 199),
        *(200, "step-700", 297, "step-998", "step-999"),
    ]
    assert [each.attempt for each in found] == [1] * 5 + [2] * 5


def test_of_few_all_are_picked() -> None:
    few = made(5, slow=1, failed=2, last_of_first=9)
    assert pick(few, head=20, tail=10, slowest=5, failures=20) == few
    assert pick([], head=20, tail=10, slowest=5, failures=20) == []
