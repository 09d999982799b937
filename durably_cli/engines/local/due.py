"""When a run that waits is to go on."""

from __future__ import annotations

from durably_cli.engines.local.view import RunView
from durably_cli.journal.wait_events import POLL, RUN, SIGNAL
from durably_cli.system import clock


def due_at(view: RunView) -> str | None:
    """When the first of its waits is over, in UTC; None if none is before a signal comes.

    A signal that is there makes it due at once, and so does a poll whose process has died: it may
    have been due.
    """
    if any(wait.kind == RUN for wait in view.state.waits.values()):
        from durably_cli.engines.local.family import children_of  # few runs have any

        for child in children_of(view, open_only=True):
            if not isinstance(child.view, RunView) or child.view.state.has_ended:
                return clock.now()
            if child.view.held and not child.view.state.is_waiting:
                return None
            if (at := _due_by_itself(child.view)) is not None and at <= clock.now():
                return at
    return _due_by_itself(view)


def _due_by_itself(view: RunView) -> str | None:
    """The same, whatever its children wait for."""
    state = view.state
    if has_signal(view):
        return clock.now()
    if state.due is not None:
        return state.due or None
    if any(wait.kind == POLL for wait in state.waits.values()):
        return clock.now()
    return min((wait.until for wait in state.waits.values() if wait.until), default=None)


def has_signal(view: RunView) -> bool:
    """Is a signal there that it waits for?"""
    asked = [name for name, wait in view.state.waits.items() if wait.kind == SIGNAL]
    if not asked:
        return False
    from durably_cli.engines.local.signals_sent import SignalsSent  # few runs wait for any

    sent = SignalsSent(view.path)
    received = view.state.received
    return any(sent.listens_for(name, received.number(name))() for name in asked)


def is_due(view: RunView) -> bool:
    """Is it to go on now?"""
    at = due_at(view)
    return at is not None and at <= clock.now()
