"""Where each step of a run stands: its last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from durably_cli.journal.events import ErrorInfo, Event, RunStarted, StepCompleted, StepStarted
from durably_cli.values.strict_json import Json


class StepStatus(StrEnum):
    """Where a step stands; STARTED, when its process is gone, means in doubt."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


class StepState(NamedTuple):
    """One step: which attempt ran it last, when, for how long, and what came of it.

    `ms` is None while it has no result; `result` is None unless it completed.
    """

    name: str
    status: StepStatus
    attempt: int
    started: str
    ms: int | None = None
    result: Json | None = None
    error: ErrorInfo | None = None


def step_states(
    events: Iterable[Event], unfinished: Mapping[str, StepState]
) -> Iterator[StepState]:
    """Every step's last word, in the order of their last starts.

    `unfinished` is what `fold` said of the same events.
    """
    attempt, starts = 0, dict[str, str]()
    for event in events:
        if isinstance(event, RunStarted):
            attempt += 1
        elif isinstance(event, StepStarted):
            starts[event.name] = event.at
            last = unfinished.get(event.name)
            if last is not None and last.attempt == attempt:
                yield last
        elif isinstance(event, StepCompleted):
            started = starts.pop(event.name, event.at)
            yield StepState(
                event.name, StepStatus.COMPLETED, attempt, started, event.ms, event.result
            )
