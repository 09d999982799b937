"""What hypothesis makes of events and JSON values."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from durably_cli.journal import codec
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    Event,
    InputStored,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunHasFailed,
    RunInterrupted,
    RunStarted,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepStarted,
)
from durably_cli.values.strict_json import Json, to_json

RUN = "01a20bae-97e3-79c3-be7b-f5a07273e515"

texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.sampled_from([f"step-{n}" for n in range(6)])
times = st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
counts = st.integers(0, 2**53)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
jsons = values.map(lambda value: Json(to_json(value)))
errors = st.builds(ErrorInfo, texts, texts, texts)
objects = st.dictionaries(texts, values, max_size=3)
some_names = st.just([]) | st.lists(names, max_size=3)
labels = st.dictionaries(texts, texts, max_size=3)

created: st.SearchStrategy[RunCreated] = st.builds(
    RunCreated,
    format=st.just(FORMAT),
    run=st.just(RUN),
    job=texts,
    input=jsons,
    at=times,
    idempotency_key=st.none() | texts,
    concurrency_key=st.none() | texts,
    labels=labels,
    project=texts,
    pid=counts,
    host=texts,
    input_bytes=counts,
)

later: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        RunStarted,
        attempt=counts,
        pid=counts,
        host=texts,
        at=times,
        versions=labels,
        source=st.none() | texts,
        dropped=counts,
        kept=st.none() | texts,
    ),
    st.builds(StepStarted, name=names, at=times, during=some_names),
    st.builds(StepCompleted, name=names, ms=counts, result=jsons, at=times),
    st.builds(
        StepFailed,
        name=names,
        ms=counts,
        error=errors,
        at=times,
        raised=objects,
        refused=objects,
        whole=objects,
    ),
    st.builds(StepDiscarded, name=names, by=texts, at=times),
    st.builds(
        LogWritten,
        level=st.sampled_from(["info", "warn", "error"]),
        message=texts,
        at=times,
        step=st.none() | names,
        data=objects,
        whole=objects,
    ),
    st.builds(
        ProgressReported,
        current=counts | st.floats(0, 1e9),
        at=times,
        total=st.none() | counts,
        message=st.none() | texts,
    ),
    st.builds(RunCompleted, output=jsons, at=times),
    st.builds(RunCompletedLarge, output=jsons, at=times),
    st.builds(InputStored, at=times),
    st.builds(
        RunHasFailed,
        error=errors,
        at=times,
        step=st.none() | names,
        steps=some_names,
        whole=objects,
    ),
    st.builds(RunInterrupted, signal=texts, at=times),
    st.builds(RunCancelled, at=times, reason=st.none() | texts),
)

journals: st.SearchStrategy[list[Event]] = st.builds(
    lambda first, rest: [first, *rest], created, st.lists(later, max_size=12)
)


def lines_of(events: list[Event], run: str = RUN, after: list[bytes] | None = None) -> list[bytes]:
    """The lines of a journal of these events, newlines included, behind the ones given."""
    before = after or []
    lines, crc = [], codec.last_crc(before, codec.seed(run))
    assert crc is not None
    for seq, event in enumerate(events, len(before)):
        line, crc = codec.encode(seq, event, crc)
        lines.append(line)
    return lines


def loads(line: bytes) -> object:
    """The line as any JSON reader takes it."""
    return json.loads(line)
