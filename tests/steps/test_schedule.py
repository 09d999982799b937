"""Which of many operations is next: pure, and so told from lists and a clock that stands still."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from durably_cli.steps import schedule as module
from durably_cli.steps.operation import Past, Plan, Raised, Wait
from durably_cli.steps.schedule import Pace, Schedule, Task


class Named(NamedTuple):
    """An operation that does nothing."""

    name: str
    converter: None = None

    def plan(self, past: Past) -> Plan:
        yield Wait("2026-11-28T00:00:00.000Z", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def schedule(count: int, per_second: float | None = None, **more: Any) -> Schedule:
    return Schedule(
        (Named(str(n)) for n in range(count)),
        Pace(per_second),
        goes_on=more.get("goes_on", False),
        is_replayed=lambda operation: operation.name in more.get("there", ()),
        seconds_until=lambda at, longest: longest,
    )


def take(found: Schedule) -> Task:
    task = found.next()
    assert isinstance(task, Task)
    return task


def test_all_come_in_order_and_then_nothing(clock: Clock) -> None:
    found = schedule(3)
    for n in range(3):
        task = take(found)
        assert (task.place, task.operation.name) == (n, str(n))
        found.ended(task, n)
    assert found.next() is None
    assert found.outcomes == {0: 0, 1: 1, 2: 2}


def test_what_came_of_each_is_by_its_place_in_whatever_order_they_end(clock: Clock) -> None:
    found = schedule(4, goes_on=True)
    tasks = [take(found) for _ in range(4)]
    found.ended(tasks[3], None)
    found.ended(tasks[1], Raised(error := ValueError()))
    assert len(found.outcomes) == 2
    assert found.outcomes == {1: Raised(error), 3: None}
    assert 0 not in found.outcomes
    assert 4 not in found.outcomes


def test_while_some_are_in_flight_there_is_something_to_wait_for(clock: Clock) -> None:
    found = schedule(1)
    task = take(found)
    assert found.next() == float("inf")
    found.ended(task, None)
    assert found.next() is None


@pytest.mark.parametrize("goes_on", [True, False])
def test_behind_a_failure_others_begin_only_if_it_goes_on(clock: Clock, goes_on: bool) -> None:
    found = schedule(3, goes_on=goes_on)
    found.ended(take(found), Raised(ValueError()))
    assert isinstance(found.next(), Task) is goes_on


def test_what_ends_the_attempt_lets_nothing_begin_even_if_it_goes_on(clock: Clock) -> None:
    found = schedule(3, goes_on=True)
    found.ended(take(found), Raised(KeyboardInterrupt()))
    assert found.next() is None
    assert isinstance(found.error, KeyboardInterrupt)


def test_one_that_waits_is_parked_and_others_go_first(clock: Clock) -> None:
    found = schedule(2)
    first = take(found)
    plan = first.operation.plan(None)  # type: ignore[arg-type]
    found.park(first, plan, Wait("", 5.0))
    second = take(found)
    assert second.place == 1
    found.ended(second, None)
    assert found.next() == 5.0
    clock.now += 5
    again = take(found)
    assert (again.place, again.plan) == (0, plan)


def test_one_that_holds_back_holds_all_back(clock: Clock) -> None:
    found = schedule(3)
    first = take(found)
    found.park(first, first.operation.plan(None), Wait("", 5.0, True))  # type: ignore[arg-type]
    assert found.next() == 5.0
    clock.now += 5
    assert take(found).place == 0
    assert take(found).place == 1


def test_a_rate_is_that_of_what_is_executed(clock: Clock) -> None:
    found = schedule(6, 10.0, there={"0", "1", "2"})
    assert [take(found).place for _ in range(4)] == [0, 1, 2, 3]
    left = found.next()
    assert left == pytest.approx(0.1)
    clock.now += 0.1
    assert take(found).place == 4


def test_what_the_operations_raise_ends_it_when_all_have_ended(clock: Clock) -> None:
    def operations() -> Any:
        yield Named("a")
        raise RuntimeError("no more")

    found = Schedule(
        operations(),
        Pace(None),
        goes_on=True,
        is_replayed=lambda operation: False,
        seconds_until=lambda at, longest: longest,
    )
    task = take(found)
    assert found.next() == float("inf")
    found.ended(task, None)
    assert found.next() is None
    assert isinstance(found.error, RuntimeError)
