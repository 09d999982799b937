"""Time in which steps ran side by side counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from durably_cli.journal.spent import Spent, ran_from, ran_until, time_in
from durably_cli.system import clock

steps = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12)
"""When a step begins, and how long it takes."""


def at(ms: int) -> str:
    return clock.format_time(datetime(2026, 11, 28, tzinfo=UTC) + timedelta(milliseconds=ms))


def model(steps: list[tuple[int, int]]) -> int:
    """Each millisecond in which one ran, once."""
    return len({ms for begin, took in steps for ms in range(begin, begin + took)})


def spent_on(steps: list[tuple[int, int]]) -> Spent:
    """What is spent as they begin and end, of each millisecond the ends first."""
    spent = Spent()
    moments = [(begin + took, took > 0, 0, n) for n, (begin, took) in enumerate(steps)]
    moments = [(when, 1 - is_long, 1, n) for when, is_long, _, n in moments]
    moments += [(begin, 1, 0, n) for n, (begin, _) in enumerate(steps)]
    for when, _, is_end, n in sorted(moments):
        if is_end:
            spent.completed(str(n), steps[n][1], at(when))
        else:
            spent.started(str(n))
    return spent


@given(steps)
def test_each_millisecond_in_which_a_step_ran_counts_once(steps: list[tuple[int, int]]) -> None:
    assert time_in(ran_from(at(begin), took) for begin, took in steps) == model(steps)
    assert time_in(ran_until(at(begin + took), took) for begin, took in steps) == model(steps)
    assert spent_on(steps).ms == model(steps)


@given(steps)
def test_what_is_discarded_takes_its_share_of_the_time_along(steps: list[tuple[int, int]]) -> None:
    spent = spent_on(steps)
    for _, took in steps:
        before = spent.ms
        spent.discarded(took)
        assert 0 <= spent.ms <= before
    assert spent.ms == 0


def test_a_clock_that_is_set_back_between_two_steps_changes_nothing() -> None:
    spent = Spent()
    for when in (5_000, 4_000, 3_990):
        spent.started("one")
        spent.completed("one", 300, at(when))
    assert spent.ms == 900


def test_a_clock_that_is_set_back_beside_a_step_adds_no_more_than_that_took() -> None:
    spent = Spent()
    for name in ("one", "two", "three"):
        spent.started(name)
    spent.completed("one", 300, at(900_000))
    spent.completed("two", 300, at(2_000))
    spent.completed("three", 300, at(2_100))
    assert 300 <= spent.ms <= 900
