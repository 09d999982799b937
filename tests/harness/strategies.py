"""What hypothesis makes of events and JSON values."""

from __future__ import annotations

from hypothesis import strategies as st

from durably_cli.journal import codec
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    InputStored,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunForked,
    RunHasFailed,
    RunInterrupted,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import in_scope, item_of
from durably_cli.journal.wait_events import RunSuspended, SignalReceived, StepWaiting
from durably_cli.values.strict_json import Json, to_json

RUN = "01a20bae-97e3-79c3-be7b-f5a07273e515"

texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.sampled_from(
    [
        *(f"step-{n}" for n in range(4)),
        *(item_of("step-1", key) for key in ("a", "b.html", "\u2603")),
        in_scope(item_of("step-2", "a"), "step-1"),
        item_of(in_scope("step-3", "files"), "a"),
    ]
)
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

or_none = st.none() | texts
FIELDS: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("job", "project", "host", "folder", "signal", "by"), texts),
    **dict.fromkeys(("idempotency_key", "concurrency_key", "source", "kept"), or_none),
    **dict.fromkeys(("message", "reason"), or_none),
    **dict.fromkeys(
        ("tries", "of", "pid", "input_bytes", "attempt", "dropped", "ms", "items"), counts
    ),
    **dict.fromkeys(("input", "output", "result"), jsons),
    **dict.fromkeys(("labels", "versions"), labels),
    **dict.fromkeys(("raised", "refused", "whole", "data"), objects),
    **dict.fromkeys(("during", "steps", "left"), some_names),
    **dict.fromkeys(
        ("code", "because", "why", "sha256", "origin", "prompt", "child", "parent"), texts
    ),
    "kind": st.sampled_from(["sleep", "poll", "signal", "run"]),
    "value": jsons,
    "takes": objects,
    "in_doubt": st.sampled_from(["stop", "look"]),
    **dict.fromkeys(("only", "gives", "has_default"), st.booleans()),
    "keys": st.dictionaries(names, st.tuples(st.just(RUN), counts).map(list), max_size=2),
    "format": st.just(FORMAT),
    "run": st.just(RUN),
    "name": names,
    "step": st.none() | names,
    **dict.fromkeys(("at", "until", "sent"), times),
    "error": errors,
    "level": st.sampled_from(["info", "warn", "error"]),
    "current": counts | st.floats(0, 1e9),
    "total": st.none() | counts,
}


def events_of(kind: type[Event], **others: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    """Events of this type, each of whose fields is one that can be written."""
    fields = FIELDS | others
    return st.builds(kind, **{name: fields[name] for name in kind._fields})


created = events_of(RunCreated)
later = st.one_of(
    events_of(LogWritten, message=texts),
    *(
        events_of(kind)
        for kind in (
            *(RunStarted, StepStarted, StepCompleted, StepFailed, StepRetrying, StepDiscarded),
            *(ProgressReported, RunCompleted, RunCompletedLarge, InputStored),
            *(RunHasFailed, RunInterrupted, RunCancelled, RunForked),
            *(StepEntered, StepOutdated, StepMarkedDone, MapStarted, StepCancelled),
            *(StepWaiting, SignalReceived, RunSuspended),
        )
    ),
)

journals: st.SearchStrategy[list[Event]] = st.builds(
    lambda first, rest: [first, *rest], created, st.lists(later, max_size=12)
)


def lines_of(events: list[Event], run: str = RUN, after: list[bytes] | None = None) -> list[bytes]:
    """The lines of a journal of these events, newlines included, behind the ones given."""
    before = after or []
    lines, crc = [], int(before[-1][-11:-3], 16) if before else codec.seed(run)
    for seq, event in enumerate(events, len(before)):
        line, crc = codec.encode(seq, event, crc)
        lines.append(line)
    return lines
