"""When a run that waits is to go on."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.journal.wait_events import POLL, RUN, SIGNAL
from durably_cli.system import clock


class Due(NamedTuple):
    """From when on a run is to go on, in UTC, and whether that is because a signal is there."""

    at: str
    by_signal: bool = False


def due_of(view: RunView) -> Due | None:
    """When the first of its waits, and of its children's, is over; None if not before a signal.

    A signal that is there makes it due at once, and so does a poll whose process has died: it may
    have been due.
    """
    found = [_due_by_itself(view)]
    if any(wait.kind == RUN for wait in view.state.waits.values()):
        from durably_cli.engines.family import children_of  # few runs have any

        found += (_due_of_child(child.view) for child in children_of(view, open_only=True))
    of_signals = [due for due in found if due and due.by_signal]
    return min(of_signals or filter(None, found), default=None)


def _due_of_child(child: RunView | Unreadable | None) -> Due | None:
    """When a run is to go on for this child of it: at once, if the child has an end, or none."""
    if not isinstance(child, RunView) or child.is_left:
        return Due(clock.now())
    if (child.state.has_ended or child.state.is_out_of_time) and not child.is_queued:
        return Due(clock.now())
    if child.goes_on and not child.state.is_waiting:  # elsewhere
        return None
    return _due_by_itself(child)


def due_at(view: RunView) -> str | None:
    """The same, without why."""
    due = due_of(view)
    return None if due is None else due.at


def _due_by_itself(view: RunView) -> Due | None:
    """The same, whatever its children wait for."""
    state = view.state
    if has_signal(view):
        return Due(clock.now(), by_signal=True)
    if state.due is not None:
        return Due(state.due) if state.due else None
    if any(wait.kind == POLL for wait in state.waits.values()):
        return Due(clock.now())
    times = (wait.until for wait in state.waits.values() if wait.until)
    return min(map(Due, times), default=None)


def has_signal(view: RunView) -> bool:
    """Is a signal there that it waits for?"""
    asked = [name for name, wait in view.state.waits.items() if wait.kind == SIGNAL]
    if not asked:
        return False
    mail, received = view.mail, view.state.received
    return any(mail.listens_for(name, received.number(name))() for name in asked)


def is_due(view: RunView) -> bool:
    """Is it to go on now?"""
    at = due_at(view)
    return at is not None and at <= clock.now()
