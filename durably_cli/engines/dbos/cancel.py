"""Asking a run to end for good: whoever executes it takes the request up, or who does so next."""

from __future__ import annotations

from durably_cli.engines import who
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.resumes import wake, wake_at_once
from durably_cli.engines.dbos.view import DatabaseView, look_at_run
from durably_cli.system import clock


def ask_to_cancel(database: RunDatabase, view: DatabaseView, reason: str | None) -> None:
    """Leave the request; one that no worker has begun is taken out of its queue at once."""
    database.change(
        "insert into durably.cancels values (%s, %s, %s, %s) on conflict do nothing",
        *(view.run_id, who.user(), clock.now(), reason),
    )
    if view.row.is_over or view.row.is_asked_for:
        wake_at_once(database, view.run_id)
    elif view.row.is_queued and not view.state.attempts:
        from durably_cli.engines.dbos.administration import cancel_workflow  # loads dbos

        cancel_workflow(database.url, view.run_id)
        if view.state.created.parent:
            wake(database, view.state.created.parent)


def cancel_if_open(database: RunDatabase, run_id: str, reason: str | None) -> None:
    """The same of a run that is there, and has not ended."""
    view = look_at_run(database, run_id)
    if isinstance(view, DatabaseView) and not view.state.has_ended:
        ask_to_cancel(database, view, reason)
