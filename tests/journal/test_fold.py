"""The fold, held against a plain model of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.journal.events import (
    FORMAT,
    LogWritten,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunHasFailed,
    RunInterrupted,
    RunStarted,
)
from durably_cli.journal.fold import NotARun, fold
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import (
    MapStarted,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_state import StepStatus, step_states
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import COMPLETED
from tests.harness.strategies import RUN, journals

_OF_A_STEP = (
    *(StepStarted, StepCompleted, StepFailed, StepRetrying),
    *(StepDiscarded, StepOutdated, StepMarkedDone, MapStarted, StepWaiting),
)


def model(events: list[Event]) -> dict[str, Any]:
    """What a run is, told from its whole list of events, with no state carried along."""
    starts = [at for at, event in enumerate(events) if isinstance(event, RunStarted)]
    completions = (RunCompleted, RunCompletedLarge)
    ends = (*completions, RunHasFailed, RunCancelled, RunStarted)
    turning = [event for event in events if isinstance(event, ends)]
    last = turning[-1] if turning else None
    word = dict.fromkeys(completions, "completed")
    word |= {RunHasFailed: "failed", RunCancelled: "cancelled"}
    status = "pending" if last is None else word.get(type(last), "running")
    last_word: dict[str, Event] = {}
    maps = set[str]()
    completed, discarded = list[StepCompleted](), list[StepDiscarded | StepOutdated]()
    for event in events:
        if isinstance(event, MapStarted):
            maps.add(event.name)
        elif isinstance(event, StepStarted):
            maps.discard(event.name)
        elif isinstance(event, StepCompleted) and event.name not in maps:
            completed.append(event)
        is_outdated = isinstance(event, StepOutdated)
        if (is_outdated or (isinstance(event, StepDiscarded) and event.sha256)) and isinstance(
            last_word.get(event.name), StepCompleted | None
        ):
            discarded += [event] * (event.name not in maps)
        if isinstance(event, _OF_A_STEP):
            last_word.pop(event.name, None)
            last_word[event.name] = event
    return {
        "status": status,
        "ended": last.at if isinstance(last, ends[:-1]) else None,
        "attempts": len(starts),
        "completed": len(completed) - len(discarded),
        "in_doubt": {name for name, event in last_word.items() if isinstance(event, StepStarted)},
        "failed": {name for name, event in last_word.items() if isinstance(event, StepFailed)},
        "retrying": {
            name: event.until
            for name, event in last_word.items()
            if isinstance(event, StepRetrying)
        },
        "logs": sum(isinstance(event, LogWritten) for event in events),
        "error": last.error if isinstance(last, RunHasFailed) else None,
        "output": next(
            (event.output for event in reversed(events) if isinstance(event, completions)), None
        ),
    }


def told(state: RunState) -> dict[str, Any]:
    return {
        "status": str(state.status),
        "ended": state.ended,
        "attempts": len(state.attempts),
        "completed": state.completed_steps,
        "in_doubt": {step.name for step in state.in_doubt},
        "failed": {
            step.name for step in state.unfinished.values() if step.status is StepStatus.FAILED
        },
        "retrying": {
            step.name: step.until
            for step in state.unfinished.values()
            if step.status is StepStatus.RETRYING
        },
        "logs": state.log_lines,
        "error": state.error,
        "output": state.output,
    }


@given(journals)
def test_folding_any_prefix_of_a_journal_equals_the_model(events: list[Event]) -> None:
    for length in range(1, len(events) + 1):
        assert told(fold(events[:length])) == model(events[:length])


@given(journals, st.data())
def test_folding_is_pure(events: list[Event], data: st.DataObject) -> None:
    assert told(fold(events)) == told(fold(iter(list(events))))


@given(journals)
def test_steps_gives_every_completion_and_every_unfinished_step_of_an_attempt_once(
    events: list[Event],
) -> None:
    state = fold(events)
    found = list(step_states(events, state.unfinished))
    completed = [step for step in found if step.result is not None]
    assert [step.name for step in completed] == [
        event.name for event in events if isinstance(event, StepCompleted)
    ]
    unfinished = {step.name for step in found if step.result is None}
    assert unfinished <= set(state.unfinished)


def test_steps_come_in_the_order_of_their_last_starts() -> None:
    events = COMPLETED.events

    state = fold(events)
    found = list(step_states(events, state.unfinished))
    assert [(step.name, str(step.status)) for step in found] == [
        ("one", "completed"),
        ("two", "failed"),
    ]


def test_steps_side_by_side_have_their_own_starts() -> None:
    at = [f"2026-11-24T03:52:0{second}.000Z" for second in range(5)]
    events = [
        RunCreated(FORMAT, RUN, "job", Json("{}"), at[0]),
        RunStarted(1, 1, "host", at[0]),
        StepStarted("first", at[1]),
        StepStarted("second", at[2]),
        StepCompleted("first", 2000, Json("1"), at[3]),
        StepCompleted("second", 1000, Json("2"), at[3]),
        StepCompleted("no start", 0, Json("3"), at[4]),
    ]
    started = {step.name: step.started for step in step_states(events, {})}
    assert started == {"first": at[1], "second": at[2], "no start": at[4]}


def test_an_attempt_knows_how_it_ended() -> None:
    events = COMPLETED.events

    outcomes = [attempt.outcome for attempt in fold(events).attempts]
    assert outcomes == ["failed", "SIGTERM", "completed"]
    assert fold(events[:2]).attempts[0].outcome == "no end recorded"
    interrupted = [*events[:2], RunInterrupted("SIGHUP", events[1].at)]
    assert str(fold(interrupted).status) == "running", "interrupted is for the lock to say"


@pytest.mark.parametrize("events", [[], [StepStarted("one", "2026-11-24T03:52:01.251Z")]])
def test_what_does_not_begin_with_run_created_is_no_run(events: list[Event]) -> None:
    with pytest.raises(NotARun):
        fold(events)
