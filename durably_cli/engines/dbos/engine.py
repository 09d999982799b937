"""The engine on DBOS, as commands see it: `Engine` says what each method is for."""

from __future__ import annotations

import time
from collections.abc import Callable

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.enqueue import Enqueued, claimed_by, enqueue
from durably_cli.engines.dbos.noted_rows import NotedRows
from durably_cli.engines.dbos.resumes import ask_again, wake_at_once
from durably_cli.engines.dbos.runs import PAUSE_SECONDS, DatabaseRuns
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.decisions import NO_DECISIONS, Decisions, refuse_final
from durably_cli.engines.observer import Runnable
from durably_cli.engines.request import Disposition, Request
from durably_cli.engines.signal import Signalled, send_to_run
from durably_cli.errors import Busy, Conflict
from durably_cli.journal.state import Status
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json


class DbosEngine:
    """That of one project, in the database at this URL."""

    has_workers = True

    def __init__(self, url: str, project: str) -> None:
        self.database = RunDatabase(url, project)
        self.runs = DatabaseRuns(self.database)

    def trigger(
        self, request: Request, load: Callable[[], Runnable], *, is_unheard: bool = False
    ) -> Enqueued:
        """The run that is asked for, for a worker to execute; `load` gives its job.

        Nobody is to hear of the run that is made, if it `is_unheard`.

        InvalidInput from the job's model, before there is a run; what `enqueue` raises.
        """
        request = request.checked()
        run_id = claimed_by(self.database, request) if request.idempotency_key else None
        if run_id is None:
            settled = load().settle(request.input, is_compared=bool(request.idempotency_key))
            request.refuse_secrets(settled.secrets)
            canonical = request.canonical or settled.canonical or settled.input
            found = enqueue(self.database, request, settled.input, canonical, is_unheard)
        else:
            found = Enqueued(run_id, Disposition.IDEMPOTENT)
        if request.retry_failed and found.disposition is Disposition.IDEMPOTENT:
            view = self.runs.view(found.run_id)
            if view.status is Status.FAILED:
                self._ask_again(view, NO_DECISIONS)
        return found

    def resume(self, run_id: str, decisions: Decisions) -> bool:
        """Have a worker go on with a run; False if it has ended for good.

        Busy if one executes it, or is about to.
        """
        view = self.runs.view(run_id)
        if view.state.is_final:
            refuse_final(decisions, view.state)
            return False
        if view.held or view.is_queued:
            at = f", on {view.executor}" if view.held else ", and waits for a worker"
            what = f"run {short(run_id)} is {view.status}{at}"
            raise Busy(what, hint=hints.command("wait", short(run_id)))
        if view.is_over:  # else another worker takes it up by itself
            self._ask_again(view, decisions)
        return True

    def cancel(self, run_id: str, reason: str | None, seconds: float) -> bool:
        deadline, is_asked = time.monotonic() + seconds, False
        while True:
            view = self.runs.view(run_id)
            if view.state.status is Status.CANCELLED:
                return is_asked
            if view.state.has_ended and not view.held and not view.is_queued:
                run = short(run_id)
                what = f"run {run} has {view.state.status}, and is not cancelled"
                raise Conflict(what, hint=hints.command("inspect", run), code="has-ended")
            if not is_asked:
                self._ask_to_cancel(view, reason)
                is_asked = True
            elif time.monotonic() >= deadline:
                said = f"run {short(run_id)} is asked to end, and has not yet"
                raise Busy(said, hint=hints.command("wait", short(run_id)))
            time.sleep(PAUSE_SECONDS)

    def signal(
        self, run_id: str, name: str, value: Json, *, even_if_early: bool = False
    ) -> Signalled:
        return send_to_run(self.runs, run_id, name, value, even_if_early=even_if_early)

    def noted(self, *, patient: bool = False) -> NotedRows:
        return NotedRows(self.database.url, self.database.project, patient=patient)

    def workers_of(self, job: str) -> int:
        """How many live workers have this job."""
        row = self.database.row(
            "select count(*) from durably.workers where project = %s and %s = any(jobs)",
            *(self.database.project, job),
        )
        return int(row[0]) if row else 0

    def _ask_again(self, view: DatabaseView, decisions: Decisions) -> None:
        number = len(view.state.attempts) + 1
        if not ask_again(self.database, view.run_id, number, decisions):
            raise Busy(f"another process resumes run {short(view.run_id)} at this moment")

    def _ask_to_cancel(self, view: DatabaseView, reason: str | None) -> None:
        """Leave the request; one that no worker has begun is taken out of its queue at once."""
        self.database.change(
            "insert into durably.cancels values (%s, %s, %s, %s) on conflict do nothing",
            *(view.run_id, who.user(), clock.now(), reason),
        )
        if view.is_over:
            wake_at_once(self.database, view.run_id)
        if view.is_queued and not view.state.attempts:
            from durably_cli.engines.dbos.administration import cancel_workflow  # loads dbos

            cancel_workflow(self.database.url, view.run_id)
