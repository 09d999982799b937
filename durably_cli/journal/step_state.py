"""Where each step of a run stands: its last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from durably_cli.journal.events import ErrorInfo, RunHasFailed, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepStarted
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.values.strict_json import Json


class StepStatus(StrEnum):
    """Where a step stands; STARTED, when its process is gone, means in doubt.

    so is CANCELLED, whose task was cancelled. WAITING is one that waits, for a time, for a signal
    or for another run; RETRYING is one that has failed, and will be tried again after a pause;
    DISCARDED one of which nothing counts any more, so that it is executed again; MARKED_DONE one
    that somebody says was done.
    """

    STARTED = "started"
    COMPLETED = "completed"
    WAITING = "waiting"
    RETRYING = "retrying"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"
    MARKED_DONE = "marked done"


class StepState(NamedTuple):
    """One step: which attempt ran it last, when, for how long, and what came of it.

    `ms` is None while it has no result; `result` is None unless it completed. `tries` counts those
    since the run was made or had last failed, of `most`, `since` is when the first of them began,
    and `until` when the next one will. `when_in_doubt` is what a resume does with one that was cut
    short: call it again, stop, look, or ask its database; if it `gives` something, null is no
    result of it. One that `is_gone` has failed, and was not asked for again: see `gone`.
    """

    name: str
    status: StepStatus
    attempt: int
    started: str
    tries: int = 0
    since: str = ""
    most: int = 1
    ms: int | None = None
    result: Json | None = None
    error: ErrorInfo | None = None
    until: str | None = None
    when_in_doubt: str = "again"
    gives: bool = False
    is_gone: bool = False


def step_states(
    events: Iterable[Event],
    unfinished: Mapping[str, StepState],
    discarded: Mapping[str, int] = {},
) -> Iterator[StepState]:
    """Every step's last word, in the order of their last starts.

    `unfinished` is what `fold` said of the same events, and `discarded` how many results of which
    step count no more.
    """
    attempt, starts, tries, given = 0, dict[str, str](), Counter[str](), set[str]()
    passed = Counter[str]()
    for event in events:
        if isinstance(event, RunStarted):
            attempt += 1
        elif isinstance(event, (StepStarted, MapStarted, StepWaiting)):
            starts[event.name] = event.at
            tries[event.name] += 1
            last = unfinished.get(event.name)
            is_last_start = last is not None and (last.attempt, last.started) == (attempt, event.at)
            if last is not None and is_last_start and event.name not in given:
                given.add(event.name)  # two tries may begin in one millisecond
                yield last
        elif isinstance(event, StepCompleted):
            started = starts.pop(event.name, event.at)
            tried, done = tries.pop(event.name, 1), StepStatus.COMPLETED
            step = StepState(event.name, done, attempt, started, tried, started)
            if discarded and passed[event.name] < discarded.get(event.name, 0):
                passed[event.name] += 1
                last = unfinished.get(event.name)
                is_last = passed[event.name] == discarded[event.name]
                if is_last and last is not None and not last.since:  # it was not begun behind that
                    yield step._replace(status=last.status, ms=event.ms)
                continue
            yield step._replace(ms=event.ms, result=event.result)
        elif isinstance(event, RunHasFailed):
            tries.clear()
