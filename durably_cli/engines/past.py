"""What a run's journal has of its steps, gathered while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from durably_cli import hints
from durably_cli.engines.decisions import Decision
from durably_cli.engines.held import Written
from durably_cli.engines.order import OrderRead
from durably_cli.errors import JournalLost, JournalTooNew
from durably_cli.journal.blobs import BlobDamaged
from durably_cli.journal.events import LogWritten, ProgressReported, RunForked
from durably_cli.journal.registry import TYPES, Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import (
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepStarted,
)
from durably_cli.journal.step_names import item_around
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.steps.operation import Begun, Past, fresh_past
from durably_cli.values.strict_json import Json


def past_of(written: Written) -> Past:
    """What is there to gather into, for the run that this was written of."""

    def whole(name: str, result: Json) -> Json:
        try:
            return written.result(result)
        except BlobDamaged as error:
            raise JournalLost(
                f"the result of step {name!r} cannot be replayed: {error}",
                hint=f"{hints.command('help', 'care')}    (says what can be done)",
            ) from None

    order = OrderRead(written.events)
    return fresh_past({})._replace(whole=whole, order=order, mail=written.mail)


def refuse_unknown(where: str, state: RunState) -> None:
    """JournalTooNew if these events say what this durably does not know."""
    if state.unknown:
        raise JournalTooNew(
            f"{where} has events that this durably does not know: {', '.join(state.unknown)}",
            hint="upgrade durably",
        )


def carried_of(state: RunState, past: Past) -> dict[str, StepFailed]:
    """The failures that are carried."""
    failures = ((name, past.unfinished.get(name)) for name in state.carried)
    return {name: event for name, event in failures if isinstance(event, StepFailed)}


def in_doubt_of(state: RunState) -> dict[str, str]:
    """The steps that were begun and have no end, and what the last start of each said of that."""
    return {step.name: step.when_in_doubt for step in state.cut_short}


def begun_of(state: RunState) -> dict[str, Begun]:
    """The tries of steps that have no result; none of a run that has failed."""
    if state.status is Status.FAILED:
        return {}
    return {
        name: Begun(step.tries, step.since) for name, step in state.unfinished.items() if step.tries
    }


def to_go_on_with(state: RunState, past: Past, decisions: Iterable[Decision]) -> Past:
    """What the next attempt finds, with these decisions taken."""
    past.failures.update(carried_of(state, past))
    past.begun.update(begun_of(state))
    past.in_doubt.update(in_doubt_of(state))
    past.waits.update(state.waits)
    past = past._replace(received=state.received.copy())
    for event in decisions:
        past.in_doubt.pop(event.name, None)
        take(event, past)
    return past


def whole_or_empty(result: Json, written: Written) -> Json:
    """A result; empty if it is in a file that is damaged, which a redo or another --done mends."""
    try:
        return written.result(result)
    except BlobDamaged:
        return Json("")


def take(event: Event, past: Past) -> None:
    """What an event says of a step that has no result, or none any more."""
    name = str(event[0])  # it is the first field of all of them
    if isinstance(event, StepDiscarded):
        if name in past.results or _has_failed_in_a_map(event.name, past):
            past.redone[name] = event
        elif name in past.redone and event.by:  # its last word on what came after
            past.redone[name] = past.redone[name]._replace(only=event.only)
        if name not in past.results:
            past.dropped[name] += 1
        past.forget(name)
    elif isinstance(event, StepOutdated):
        past.outdate(event)
    elif isinstance(event, StepMarkedDone):
        past.failures.pop(name, None)
        past.end_wait(name)
    past.unfinished[name] = event


def _has_failed_in_a_map(name: str, past: Past) -> bool:
    """Is it an item that has failed? Then steps behind its map have gone on without it."""
    return item_around(name) is not None and isinstance(past.unfinished.get(name), StepFailed)


def gather(events: Iterable[Event], past: Past, written: Written) -> Iterator[Event]:
    """Pass the events of a run on, and gather what they say of steps, and reports."""
    results, unfinished, redone = past.results, past.unfinished, past.redone
    of_steps = {cls for name, cls in TYPES.items() if name.startswith("step.")}
    of_steps -= {StepStarted, StepEntered, StepCancelled, StepWaiting}
    for event in events:
        if isinstance(event, StepCompleted):
            results[str(event.name)] = event.result  # half as large as one with a scope
            if unfinished:
                unfinished.pop(event.name, None)
            if redone:
                redone.pop(event.name, None)
        elif type(event) is StepStarted:
            if event.input:
                past.inputs[str(event.name)] = event.input
        elif type(event) in of_steps:
            if isinstance(event, StepMarkedDone):
                event = event._replace(result=whole_or_empty(event.result, written))
            take(event, past)
        elif type(event) is RunForked:
            for name, (run, discarded) in event.keys.items():
                past.keys[name], past.discarded[name] = str(run), int(discarded)
        elif type(event) is LogWritten:
            past.reported.add(written.whole_log(event))
        elif type(event) is ProgressReported:
            past.reported.add(event)
        yield event
