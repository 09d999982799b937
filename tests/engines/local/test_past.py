"""What a resume gathers of a journal, beside what the fold says of the same."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from durably_cli.engines.local.past import gather, past_of
from durably_cli.journal.events import FORMAT, RunCreated, RunStarted
from durably_cli.journal.fold import fold
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
)
from durably_cli.journal.wait_events import RunSuspended, SignalReceived, StepWaiting
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import ERROR

AT = "2026-11-23T03:00:00.123Z"
RUN = "01a20bae-97e3-79c3-be7b-f5a07273e515"

names = st.sampled_from(["one", "two", "three"])
events_of_waits: st.SearchStrategy[Event] = st.one_of(
    names.map(lambda name: StepWaiting(name, "signal", AT)),
    names.map(lambda name: StepCompleted(name, 1, Json("1"), AT)),
    names.map(lambda name: StepFailed(name, 1, ERROR, AT)),
    names.map(lambda name: StepCancelled(name, 1, AT)),
    names.map(lambda name: StepDiscarded(name, "me", AT)),
    names.map(lambda name: StepOutdated(name, "one", AT)),
    names.map(lambda name: StepMarkedDone(name, "me", Json("1"), AT)),
    names.map(lambda name: SignalReceived(name, Json("1"), "me", AT, AT)),
    st.lists(names, max_size=2, unique=True).map(lambda left: RunSuspended(AT, "", left)),
    st.just(RunStarted(2, 1, "host", AT)),
)


@settings(max_examples=300)
@given(st.lists(events_of_waits, max_size=12))
def test_both_know_the_same_waits(events: list[Event]) -> None:
    begin: list[Event] = [
        RunCreated(FORMAT, RUN, "job", Json("{}"), AT),
        RunStarted(1, 1, "host", AT),
    ]
    path = Path(f"/nowhere/{RUN}.jsonl")
    for end in range(len(events) + 1):
        past = past_of(path)
        list(gather([*begin, *events[:end]], past, path))
        state = fold([*begin, *events[:end]])
        assert set(past.waits) == set(state.waits), events[:end]
