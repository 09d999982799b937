"""Which runs are taken up by whoever looks after all of them, and no person has named.

One that waits, once it is due; one whose process has died; and one that was made and never begun.
Not one that somebody stopped, or that takes a person: by a decision, or because nothing helps.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from durably_cli.engines.local.due import due_of
from durably_cli.engines.local.view import RunView
from durably_cli.journal.fold_waits import SUSPENDED
from durably_cli.journal.state import KILLED
from durably_cli.system import clock


class Why(StrEnum):
    """Why a run is taken up: its time has come, a signal has, or its process has died."""

    DUE = "due"
    SIGNAL = "signal"
    DIED = "died"


class TakeUp(NamedTuple):
    """Why a run is to be taken up now, and from when on, if that is known.

    If it is not, from when on it is, or empty if no time helps.
    """

    why: Why | None = None
    until: str = ""


def is_suspended(view: RunView) -> bool:
    """Does it wait without a process, and does whoever looks after all runs go on with it then?"""
    state = view.state
    return (
        not view.held
        and state.is_waiting
        and state.attempts[-1].outcome == SUSPENDED
        and not (view.damage or view.imported or state.undecided or view.is_given_up)
    )


def verdict_on(view: RunView) -> TakeUp:
    """What is to be done with a run that nobody holds, as far as its journal and inbox tell.

    One that is a step of another run goes on with that one.
    """
    state = view.state
    is_for_others = state.created.parent or state.has_ended or state.unknown
    if is_for_others or view.damage or state.undecided or view.is_given_up:
        return TakeUp()
    if not state.attempts or state.attempts[-1].outcome in KILLED:
        return TakeUp(Why.DIED)
    if state.attempts[-1].outcome != SUSPENDED:  # Ctrl-C, a time limit, a repair
        return TakeUp()
    due = due_of(view)
    if due is None or due.at > clock.now():
        return TakeUp(until=due.at if due else "")
    return TakeUp(Why.SIGNAL) if due.by_signal else TakeUp(Why.DUE, due.at)
