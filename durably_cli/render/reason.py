"""Why a run has ended as it has, or what it is at: one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from durably_cli.engines.run_view import RunView
from durably_cli.journal.events import RunCancelled
from durably_cli.journal.fold_waits import SUSPENDED
from durably_cli.journal.state import KILLED, NO_END, Status
from durably_cli.render.step_record import last_try, retrying
from durably_cli.render.words import listed, one_line, utc_time
from durably_cli.system import ids

if TYPE_CHECKING:
    from durably_cli.engines.run_view import CancelRequest


def reason(view: RunView, *, but_tries: bool = False) -> str | None:
    """Why a run has ended as it has, on one line; of one that has not, what it is at.

    With `but_tries` it says nothing of a step that is tried again.
    """
    state = view.state
    if view.damage:
        return f"line {view.damage.line}, byte {view.damage.byte}: {view.damage.reason}"
    if state.cancelled is not None:
        return by_and_why(state.cancelled) or None
    if view.status is Status.WAITING:
        from durably_cli.render.waits import why_it_waits  # few runs wait, as below

        return "; ".join(filter(None, (_stopped(view), given_up(view), why_it_waits(view))))
    if view.status is Status.PENDING and view.goes_on and not view.cancel_request():
        return _why_pending(view)
    if state.error is not None:
        where = f"{listed(state.causes)}: " if state.causes else ""
        return where + one_line(state.error)
    if not state.has_ended and (asked := view.cancel_request()):
        at = _why_interrupted(view, but_tries) if view.status is Status.INTERRUPTED else ()
        return ", ".join((f"to be cancelled {by_and_why(asked)}", *at))
    if view.status is Status.INTERRUPTED:
        return ", ".join(_why_interrupted(view, but_tries)) or None
    if not but_tries and (again := retrying(view)):
        when = utc_time(again[-1].until or "")
        return f"{again[-1].name}: {last_try(again[-1])}, again at {when}"
    return None


def _why_pending(view: RunView) -> str | None:
    created = view.state.created
    ahead, key = waits_for(view), created.concurrency_key
    if key is not None and (ahead or view.held):
        return f"waits for {f'run {ids.short(ahead)}, which has ' if ahead else ''}the key {key!r}"
    if view.lacks_worker:
        return f"no worker has the job {created.job}"
    return "waits for a worker" if view.is_queued else None


def _why_interrupted(view: RunView, but_tries: bool) -> Iterator[str]:
    """What ended its last attempt, if that left word, and what that was at."""
    state = view.state
    if state.attempts and state.attempts[-1].outcome != NO_END:
        yield state.attempts[-1].outcome
    if state.in_doubt:
        yield "in doubt: " + listed([step.name for step in state.in_doubt])
    elif state.cut_short:
        yield "cut short: " + listed([step.name for step in state.cut_short])
    elif not but_tries and (again := retrying(view)):
        yield f"{again[-1].name}: {last_try(again[-1])}"
    if said := given_up(view):
        yield said
    if view.lacks_worker:
        yield f"no worker has the job {state.created.job}"


def _stopped(view: RunView) -> str:
    """What ended its last attempt in a wait, if no tick goes on with it for that."""
    state = view.state
    outcome = state.attempts[-1].outcome if state.attempts else SUSPENDED
    if view.held or state.created.parent or outcome in (SUSPENDED, *KILLED):
        return ""
    return f"stopped ({outcome}): it takes a resume"


def given_up(view: RunView) -> str:
    """That only a person goes on with it, if it was taken up so often in vain."""
    if view.held or not view.is_given_up:
        return ""
    return f"killed {view.killed_in_vain} times without getting further: it takes a resume"


def by_and_why(cancelled: RunCancelled | CancelRequest) -> str:
    """`by ann: wrong month`; what of that is known."""
    by = f"by {cancelled.by}" if cancelled.by else ""
    return ": ".join(filter(None, (by, cancelled.reason)))


def waits_for(view: RunView) -> str | None:
    """The run that a pending one waits for: the one that has its concurrency key."""
    key = view.state.created.concurrency_key
    if key is None or view.status is not Status.PENDING or not view.goes_on:
        return None
    ahead = view.has_key()
    return None if ahead == view.run_id else ahead
