"""Asking for the end of a run: a worker ends it, and one that nobody has begun ends at once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from durably_cli.engines import who
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.resumes import wake_at_once
from durably_cli.engines.dbos.view import DatabaseView, look_at_run
from durably_cli.errors import DurablyError
from durably_cli.system import clock


def ask_to_cancel(database: RunDatabase, view: DatabaseView, reason: str | None) -> None:
    """Leave the request; one that no worker has begun is taken out of its queue at once."""
    database.change(
        "insert into durably.cancels values (%s, %s, %s, %s) on conflict do nothing",
        *(view.run_id, who.user(), clock.now(), reason),
    )
    if view.is_over:
        wake_at_once(database, view.run_id)
    if view.is_queued and not view.state.attempts:
        from durably_cli.engines.dbos.administration import cancel_workflow  # loads dbos

        cancel_workflow(database.url, view.run_id)


def ask_all_to_cancel(database: RunDatabase, run_ids: Iterable[str], reason: str) -> None:
    """The same of these runs, as far as they have not ended."""
    for run_id in run_ids:
        with suppress(DurablyError):
            view = look_at_run(database, run_id)
            if isinstance(view, DatabaseView) and not view.state.has_ended:
                ask_to_cancel(database, view, reason)
