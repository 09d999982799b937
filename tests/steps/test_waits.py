"""Steps that wait, in memory: what they ask for, what they refuse, and that no time passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably_cli.errors import StepMisused, WaitTimeout
from durably_cli.journal.events import LogWritten
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepRetrying
from durably_cli.journal.wait_events import SignalReceived, StepWaiting
from durably_cli.steps.approval import Approval
from durably_cli.steps.step import Step
from durably_cli.steps.tries import Retry, RetryAfter


def recorded(**more: Any) -> tuple[Step, list[Event]]:
    events: list[Event] = []
    return Step(record=events.append, **more), events


def test_a_sleep_is_two_lines_and_takes_no_time_in_memory() -> None:
    step, events = recorded()
    step.sleep("nap", "3d")
    step.sleep("other", timedelta(weeks=1))
    waiting, completed, *_ = events
    assert isinstance(waiting, StepWaiting)
    assert isinstance(completed, StepCompleted)
    until = datetime.fromisoformat(waiting.until) - datetime.fromisoformat(waiting.at)
    assert abs(until - timedelta(days=3)) < timedelta(seconds=1)
    assert len(events) == 4


def fails_once() -> Callable[[], object]:
    left = [OSError()]

    def act() -> None:
        if left:
            raise left.pop()

    return act


def sends_away_once() -> Callable[[], object]:
    left = [RetryAfter(0.5)]

    def act() -> None:
        if left:
            raise left.pop()

    return act


HALF_A_SECOND: dict[str, Callable[[Step], object]] = {
    "sleep": lambda step: step.sleep("s", 0.5),
    "sleep until": lambda step: step.sleep("s", until=datetime.now(UTC) + timedelta(seconds=0.5)),
    "poll": lambda step: step.poll("s", lambda: 1, every=0.1, timeout=0.5, returns=int),
    "a pause": lambda step: step.run(
        "s", fails_once(), returns=object, tries=Retry(2, delay=0.5, jitter=False)
    ),
    "a server that says when": lambda step: step.run(
        "s", sends_away_once(), returns=object, tries=2
    ),
    "a signal": lambda step: step.wait_signal("s", int, timeout=0.5, default=1),
}


@pytest.mark.parametrize("act", HALF_A_SECOND.values(), ids=HALF_A_SECOND.keys())
def test_no_wait_is_over_a_part_of_a_millisecond_too_early(act: Callable[[Step], object]) -> None:
    """Ten times: a time of which that part is cut off is too early nine times of ten, or more."""
    for _ in range(10):
        step, events = recorded()
        soonest = datetime.now(UTC) + timedelta(seconds=0.5)
        act(step)
        (until,) = (each.until for each in events if isinstance(each, StepWaiting | StepRetrying))
        assert datetime.fromisoformat(until) >= soonest


def test_a_sleep_until_a_time_keeps_that_in_utc() -> None:
    step, events = recorded()
    step.sleep("a", until="2026-12-24T18:00:00+01:00")
    step.sleep("b", until=datetime(2026, 12, 24, 17, tzinfo=UTC))
    found = [event.until for event in events if isinstance(event, StepWaiting)]
    assert found == ["2026-12-24T17:00:00.000Z"] * 2


def test_a_time_without_a_zone_is_local_and_that_is_said() -> None:
    step, events = recorded()
    step.sleep("a", until="2020-12-24T18:00")
    local = datetime(2020, 12, 24, 18).astimezone().astimezone(UTC)
    (said,) = (event for event in events if isinstance(event, LogWritten))
    (waiting,) = (event for event in events if isinstance(event, StepWaiting))
    assert "has no zone, and is taken as local" in said.message
    assert datetime.fromisoformat(waiting.until) == local


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({}, "give it a duration, or a time by until="),
        ({"duration": 3, "until": "2026-12-24"}, "give it a duration, or a time by until="),
        ({"duration": -1}, "negative"),
        ({"duration": float("inf")}, "longer than 100 years"),
        ({"duration": "soon"}, "it reads 90s, 5m, 1h30m or 3d"),
        ({"duration": True}, "a span of time is"),
        ({"until": "tomorrow"}, "is no time: give a datetime"),
        ({"until": 5}, "is no time: give a datetime"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "is in no calendar"),
    ],
)
def test_a_sleep_for_what_is_no_time_is_refused(named: dict[str, Any], why: str) -> None:
    step, events = recorded()
    with pytest.raises(StepMisused, match=why):
        step.sleep("nap", **named)
    assert not events


def test_a_poll_of_many_calls_is_two_lines() -> None:
    step, events = recorded()
    answers = iter([None] * 50 + ["ready"])
    assert step.poll("ready", lambda: next(answers), every="1h", timeout="3d") == "ready"
    assert [type(event) for event in events] == [StepWaiting, StepCompleted]


def test_a_poll_ends_with_its_deadline_behind_a_last_look() -> None:
    step, events = recorded()
    calls = list[int]()
    with pytest.raises(WaitTimeout, match="it has given nothing within 1 d 0 h"):
        step.poll("ready", lambda: calls.append(1), every="7h", timeout="1d")
    assert len(calls) == 5  # at 0, 7, 14, 21 and 24 hours
    assert isinstance(events[-1], StepFailed)


def test_a_poll_may_fail_so_many_times_in_a_row_and_no_more() -> None:
    step, events = recorded()
    answers = iter([OSError("1"), OSError("2"), None, OSError("3"), RetryAfter(9), 5])

    def look() -> int | None:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    assert step.poll("ready", look, every=1, tries=3) == 5
    assert [type(event) for event in events] == [StepWaiting, StepCompleted]
    answers = iter([OSError("1"), OSError("2")])
    with pytest.raises(OSError, match="2"):
        step.poll("again", look, every=1, tries=2)
    answers = iter([OSError("once")])
    with pytest.raises(OSError, match="once"):
        step.poll("once", look, every=1)


def test_a_poll_without_a_pause_is_refused() -> None:
    with pytest.raises(StepMisused, match="without a pause"):
        Step().poll("ready", lambda: 1, every=0)


def test_a_signal_that_the_test_gives_is_received() -> None:
    step, events = recorded(signals={"ok": Approval(approved=True, by="ann"), "n": 3})
    answer = step.wait_signal("ok", Approval, prompt="Well?")
    assert answer and answer.by == "ann"
    assert step.wait_signal("n", int) == 3
    kinds = [StepWaiting, SignalReceived, StepCompleted]
    assert [type(event) for event in events] == kinds * 2
    assert isinstance(events[0], StepWaiting)
    assert (events[0].prompt, events[0].takes["title"]) == ("Well?", "Approval")


def test_a_signal_that_does_not_come_is_the_default_or_a_failure() -> None:
    step = Step()
    assert step.wait_signal("a", int, timeout="3d", default=None) is None
    assert step.wait_signal("b", int, timeout="3d", default=7) == 7
    with pytest.raises(WaitTimeout, match="no signal has come within 3 d 0 h"):
        step.wait_signal("c", int, timeout="3d")
    with pytest.raises(StepMisused, match=r"Step\(signals=\{'d': ...\}\)"):
        step.wait_signal("d", int)


def test_what_makes_no_sense_of_a_signal_is_refused() -> None:
    step = Step(signals={"a": "text"})
    with pytest.raises(StepMisused, match="default= is for after a timeout="):
        step.wait_signal("x", int, default=3)
    with pytest.raises(StepMisused, match="the default does not fit the type"):
        step.wait_signal("y", int, timeout=3, default="no number")
    with pytest.raises(StepMisused, match="does not fit its type"):
        step.wait_signal("a", int)
    with pytest.raises(StepMisused, match="used twice"):
        step.sleep("a", 1)
