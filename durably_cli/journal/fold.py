"""The fold: events in, the state of the run out. Pure; it knows no file, no clock and no lock."""

from __future__ import annotations

from collections.abc import Iterable

from durably_cli.journal import fold_runs, fold_steps, fold_waits  # noqa: F401  (they register what they fold)
from durably_cli.journal.applying import APPLY
from durably_cli.journal.events import RunCreated
from durably_cli.journal.registry import OF_NO_ATTEMPT, Event
from durably_cli.journal.state import RunState


class NotARun(ValueError):
    """The events do not begin with a run.created."""


def fold(events: Iterable[Event]) -> RunState:
    """The state that a journal's events, or any first part of them, add up to.

    NotARun if the first one is not a run.created.
    """
    iterator = iter(events)
    first = next(iterator, None)
    if not isinstance(first, RunCreated):
        raise NotARun("the first event is not a run.created")
    return fold_on(RunState(first), iterator)


def fold_on(state: RunState, events: Iterable[Event]) -> RunState:
    """The state with these events added to it."""
    attempts = state.attempts
    for event in events:
        kind = type(event)
        if attempts and kind not in OF_NO_ATTEMPT:
            attempts[-1].last = event.at
        apply = APPLY.get(kind)
        if apply is not None:
            apply(state, event)
    return state
