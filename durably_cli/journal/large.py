"""Events that are too large for a line: what they hold goes to a file, and they say where it is.

Of an output the line has nothing else. Of a log line and of an error, which people read, the
line has the beginning and the end as well. An input is written before its run is there, by
`journal.ownership`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from durably_cli.journal.blobs import LIMIT, BlobDamaged, Blobs, is_blob_reference
from durably_cli.journal.events import (
    ErrorInfo,
    LogWritten,
    ProgressReported,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunHasFailed,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    StepCompleted,
    StepFailed,
    StepMarkedDone,
    StepRetrying,
)
from durably_cli.values.strict_json import Json, to_json

FIRST, LAST = 4096, 2048
"""How many characters at the beginning and at the end of a long text stand in the journal."""

_HAS_ERROR = (StepFailed, StepRetrying, RunHasFailed)

Put = Callable[[Json], Json]
"""Writes a value to a file of its own, durably, and gives the reference to it."""


class Stored(NamedTuple):
    """What an event has in a file of its own, the reference to it, and is it damaged without?

    Without its input a run can be looked at: all that it did is not to be cut off for that.
    """

    what: str
    reference: Json
    is_needed: bool = False


def shortened(event: Event, put: Put) -> Event:
    """What stands in the journal in place of an event whose line would be too large."""
    if isinstance(event, RunCompleted):
        return RunCompletedLarge(put(event.output), event.at)
    if isinstance(event, LogWritten):
        whole = _put(put, {"message": event.message, "data": event.data})
        is_small = len(to_json(event.data)) <= LIMIT // 2
        message = cut(event.message, whole)
        if not is_small and message == event.message:
            message += f" (its data, {_place(whole)})"
        data = event.data if is_small else {}
        return event._replace(message=message, data=data, whole=whole)
    if isinstance(event, _HAS_ERROR):
        whole = _put(put, event.error._asdict())
        error = ErrorInfo(*(cut(text, whole) for text in event.error))
        if isinstance(event, StepFailed) and len(to_json(event.raised)) > LIMIT // 2:
            parts = {"class": event.raised["class"]}  # if it is carried, it comes as a StepError
            event = event._replace(raised=parts)
        return event._replace(error=error, whole=whole)
    if isinstance(event, ProgressReported) and event.message:
        return event._replace(message=cut(event.message))
    return event


def stored(event: Event) -> Stored | None:
    """What this event has in a file of its own; None if all of it is in its line."""
    if isinstance(event, (StepCompleted, StepMarkedDone)):
        if is_blob_reference(event.result):
            return Stored(f"the result of step {event.name}", event.result, is_needed=True)
    elif isinstance(event, RunCreated):
        if event.input_bytes:
            return Stored("the input", event.input)
    elif isinstance(event, RunCompletedLarge):
        return Stored("the output", event.output, is_needed=True)
    elif isinstance(event, LogWritten):
        if event.whole:
            return Stored("a log line", Json(to_json(event.whole)))
    elif isinstance(event, _HAS_ERROR) and event.whole:
        return Stored("an error", Json(to_json(event.whole)))
    return None


def missing(blobs: Blobs) -> Callable[[Event], str | None]:
    """Says why what an event names is lost, as far as a look at the file tells."""
    return lambda event: _lost(event, blobs.look)


def lost(blobs: Blobs) -> Callable[[Event], str | None]:
    """Says the same, having read all of the file."""

    def check(reference: Json) -> None:
        blobs.look(reference)
        blobs.check(reference)

    return lambda event: _lost(event, check)


def _lost(event: Event, check: Callable[[Json], None]) -> str | None:
    found = stored(event)
    if found is not None and found.is_needed:
        try:
            check(found.reference)
        except BlobDamaged as error:
            return f"{found.what} is lost: {error}"
    return None


def _put(put: Put, value: dict[str, Any]) -> dict[str, Any]:
    reference: dict[str, Any] = json.loads(put(Json(to_json(value))))
    return reference


def cut(text: str, whole: dict[str, Any] | None = None) -> str:
    """The beginning and the end of a long text, and between them how long it is."""
    if len(text) <= FIRST + LAST:
        return text
    place = f", {_place(whole)}" if whole else ""
    left_out = f"{len(text) - FIRST - LAST:,} of {len(text):,} characters left out{place}"
    return f"{text[:FIRST]}\n... {left_out} ...\n{text[-LAST:]}"


def _place(whole: dict[str, Any]) -> str:
    from durably_cli.values.quantities import size  # only who shortens an event asks

    return f"{size(whole['bytes'])} in {whole['$blob']}"
