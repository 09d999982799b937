"""Whom a signal is for: the run that is named, or one below it that is a step of it."""

from __future__ import annotations

from durably_cli import hints
from durably_cli.engines.family import children_of
from durably_cli.engines.run_view import RunView
from durably_cli.errors import UsageError
from durably_cli.journal.wait_events import SIGNAL, StepWaiting
from durably_cli.system.ids import short
from durably_cli.values.example import words_of

_FEW = 3
"""Of so many runs it is said how to send them the signal."""


def wait_for(view: RunView, name: str) -> StepWaiting | None:
    """The wait of the run for this signal, if one is open."""
    wait = view.state.waits.get(name)
    return wait if wait is not None and wait.kind == SIGNAL else None


def addressee(view: RunView, name: str) -> str:
    """The run that waits for this signal, else the one whose wait for it is over.

    The run itself is asked first, and is the one if none is. UsageError if several below it are.
    """
    if wait_for(view, name) is not None:
        return view.run_id
    found = [each.run_id for each in _open_below(view) if wait_for(each, name) is not None]
    if not found and not view.state.received.is_decided(name):
        below = [child.view for child in children_of(view)]
        states = [each.state for each in below if isinstance(each, RunView)]
        found = [each.created.run for each in states if each.received.is_decided(name)]
    if len(found) > 1:
        what = f"{len(found)} runs below run {short(view.run_id)} take a signal {name!r}"
        asked = {each.run_id: wait_for(each, name) for each in _open_below(view)}
        send = [_command(run, name, asked.get(run)) for run in found[:_FEW]]
        raise UsageError(what, hint="\n".join(send), run=view.run_id)
    return found[0] if found else view.run_id


def asked_for(view: RunView) -> dict[str, StepWaiting]:
    """The signals that the run waits for, or one below it, by their names."""
    states = [view.state, *(each.state for each in _open_below(view))]
    waits = [wait for each in states for wait in each.waits.values()]
    return {wait.name: wait for wait in waits if wait.kind == SIGNAL}


def _command(run: str, name: str, wait: StepWaiting | None) -> str:
    value = ("-i", "JSON") if wait is None else words_of(wait.takes)
    return hints.command("signal", short(run), name, *value)


def _open_below(view: RunView) -> list[RunView]:
    """The runs that a step waits for, as they were; only their states are to be looked at."""
    children = (child.view for child in children_of(view, open_only=True))
    return [each for each in children if isinstance(each, RunView) and not each.state.has_ended]
