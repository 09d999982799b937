"""Ending a run for good, whoever executes it, or nobody.

What nobody holds is cancelled here, at once. To an owner goes a request, which it takes up
itself: no process is looked up by its number, for that may be another one's by now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.holder import holder
from durably_cli.engines.local.inbox import Inbox
from durably_cli.engines.local.leftovers import refuse_leftovers
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import fold_reading, is_imported
from durably_cli.engines.run_view import CancelRequest
from durably_cli.errors import Busy, Conflict, DurablyError, Forbidden, JournalTooNew
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import RunCancelled
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.state import RunState, Status
from durably_cli.system import clock, ids
from durably_cli.system.locks import Lock

_LOOKS_SECONDS = 0.05


def cancel(store: Store, run_id: str, reason: str | None, seconds: float) -> bool:
    """End a run for good; False if it was cancelled before.

    Conflict if it has ended otherwise; Busy if its owner has not ended it within so many seconds,
    which it still will.
    """
    path = store.path_of(run_id)
    request, inbox = CancelRequest(who.user(), clock.now(), reason), Inbox(path)
    deadline, is_asked = time.monotonic() + seconds, False
    while True:
        try:
            lock = store.hold(run_id, seconds=0)
        except Busy:
            if inbox.cancel() is None:  # a resume of a failed run takes away what it finds
                inbox.ask_to_cancel(request, store.temporary)
                is_asked = True
            if time.monotonic() >= deadline:
                raise _still_going(store, run_id) from None
            time.sleep(_LOOKS_SECONDS)
            continue
        try:
            return _cancel_held(store, path, lock, inbox, request) or is_asked
        finally:
            lock.close()


def _cancel_held(
    store: Store, path: Path, lock: Lock, inbox: Inbox, request: CancelRequest
) -> bool:
    """End the run that nobody else holds, and its programs; False if it is cancelled already."""
    reading = JournalReader(lock.fd, path, path.stem, doubt=missing(Blobs(path)))
    state = fold_reading(reading, path)
    if state.status is Status.CANCELLED:
        refuse_leftovers(path, end=True, command="cancel")
        ownership.sync_held(lock)
        inbox.clear()
        cancel_children(store, state.open_children, state.cancelled and state.cancelled.reason)
        return False
    _check_may_end(path, state)
    if state.has_ended:
        inbox.clear()
        run = ids.short(path.stem)
        what = f"run {run} has {state.status}, and is not cancelled"
        raise Conflict(what, hint=hints.command("inspect", run), code="has-ended")
    refuse_leftovers(path, end=True, command="cancel")
    journal, _ = ownership.take_over(lock, reading, path, store.temporary)
    with journal:
        journal.end_with(RunCancelled(clock.now(), request.reason, request.by))
    inbox.clear()
    cancel_children(store, state.open_children, request.reason)
    return True


def cancel_children(store: Store, run_ids: Iterable[str], reason: str | None) -> None:
    """End these runs for good, whose parent was: those that have not ended otherwise."""
    for run_id in run_ids:
        with suppress(DurablyError, OSError):
            cancel(store, run_id, reason, 0)


def _check_may_end(path: Path, state: RunState) -> None:
    run = ids.short(path.stem)
    if is_imported(path):
        look = hints.command("inspect", run)
        raise Forbidden(f"run {run} was imported, and is read-only", hint=look)
    if state.unknown:
        raise JournalTooNew(
            f"{path} has events that this durably does not know: {', '.join(state.unknown)}",
            hint="upgrade durably",
        )


def _still_going(store: Store, run_id: str) -> Busy:
    with store.view(run_id) as view:
        run = f"run {ids.short(run_id)}"
        said = f"{run} is asked to end, and has not yet{holder(view)}: it ends when the function"
        said += " that it is in lets it"
        if view.state.has_ended:
            said = f"{run} has {view.state.status}, and is being resumed{holder(view)}"
        return Busy(
            said,
            hint=f"{hints.command('wait', ids.short(run_id))}    (until it has)",
        )
