"""The engine on DBOS, as commands see it: `Engine` says what each method is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from durably_cli import hints
from durably_cli.engines.dbos.cancel import ask_to_cancel
from durably_cli.engines.dbos.census import workers_that_have
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.enqueue import Enqueued, claimed_by, enqueue
from durably_cli.engines.dbos.noted_rows import NotedRows
from durably_cli.engines.dbos.resumes import AskedAttempt, ask_again
from durably_cli.engines.dbos.runs import PAUSE_SECONDS, DatabaseRuns
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.decisions import NO_DECISIONS, Decisions, refuse_final
from durably_cli.engines.observer import Runnable
from durably_cli.engines.request import Disposition, Request
from durably_cli.engines.signal import Signalled, send_to_run
from durably_cli.errors import Busy, Conflict
from durably_cli.journal.state import Status
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.bundle import Exported
    from durably_cli.engines.dbos.removal import DatabaseRemoval
    from durably_cli.engines.forking import ForkRequest
    from durably_cli.engines.payload import ReadyInput
    from durably_cli.engines.run_view import RunView


_MOMENT_SECONDS = 10.0


class DbosEngine:
    """That of one project, in the database at this URL."""

    has_workers = True

    def __init__(self, url: str, project: str) -> None:
        self.database = RunDatabase(url, project)
        self.runs = DatabaseRuns(self.database)

    def trigger(
        self,
        request: Request,
        load: Callable[[], Runnable],
        seconds: float | None = None,
        *,
        is_unheard: bool = False,
    ) -> Enqueued:
        """The run that is asked for, for a worker to execute; `load` gives its job.

        Each attempt may take so many seconds. Nobody is to hear of the run, if it `is_unheard`.

        InvalidInput from the job's model, before there is a run; what `enqueue` raises.
        """
        request = request.checked()
        run_id = claimed_by(self.database, request) if request.idempotency_key else None
        if run_id is None:
            settled = load().settle(request.input, is_compared=bool(request.idempotency_key))
            request.refuse_secrets(settled.secrets)
            canonical = request.canonical or settled.canonical or settled.input
            found = enqueue(
                self.database,
                request,
                settled.input,
                canonical,
                seconds=seconds,
                is_unheard=is_unheard,
            )
        else:
            found = Enqueued(run_id, Disposition.IDEMPOTENT)
        if request.retry_failed and found.disposition is Disposition.IDEMPOTENT:
            view = self.runs.view(found.run_id)
            if view.status is Status.FAILED:
                self._ask_again(view, AskedAttempt(NO_DECISIONS, seconds))
        return found

    def resume(self, run_id: str, decisions: Decisions, seconds: float | None = None) -> bool:
        """Have a worker go on with a run, which may be at it; False if it has ended for good.

        Busy if one is at it, and something is asked for of the next attempt.
        """
        view = self._settled(run_id)
        if view.state.is_final:
            refuse_final(decisions, view.state)
            return False
        asked = AskedAttempt(decisions, seconds)
        if not asked.is_nothing:
            view.refuse_if_taken_up()
        if view.row.is_over or not asked.is_nothing:  # else another worker takes it up by itself
            self._ask_again(view, asked)
        return True

    def _settled(self, run_id: str) -> DatabaseView:
        """The run, once DBOS knows of the failure that its events tell, a moment after these."""
        until = time.monotonic() + _MOMENT_SECONDS
        while True:
            view = self.runs.view(run_id)
            if not (view.state.has_ended and view.row.is_taken) or time.monotonic() > until:
                return view
            time.sleep(0.05)

    def cancel(self, run_id: str, reason: str | None, seconds: float) -> bool:
        deadline, is_asked = time.monotonic() + seconds, False
        while True:
            view = self.runs.view(run_id)
            if view.state.status is Status.CANCELLED:
                return is_asked
            if view.state.has_ended and not view.held and not view.row.is_queued:
                run = short(run_id)
                what = f"run {run} has {view.state.status}, and is not cancelled"
                raise Conflict(what, hint=hints.command("inspect", run), code="has-ended")
            if not is_asked:
                ask_to_cancel(self.database, view, reason)
                is_asked = True
            elif time.monotonic() >= deadline:
                said = f"run {short(run_id)} is asked to end, and has not yet"
                if not view.held and not self.workers_of(view.state.created.job):
                    said += ": no worker is there that would do it"
                raise Busy(said, hint=hints.command("wait", short(run_id)))
            time.sleep(PAUSE_SECONDS)

    def signal(
        self, run_id: str, name: str, value: Json, *, even_if_early: bool = False
    ) -> Signalled:
        return send_to_run(self.runs, run_id, name, value, even_if_early=even_if_early)

    @property
    def removal(self) -> DatabaseRemoval:
        from durably_cli.engines.dbos.removal import DatabaseRemoval  # for who removes

        return DatabaseRemoval(self.database)

    def export(self, run_id: str, job_files: Iterable[Path], out: BinaryIO) -> Exported:
        from durably_cli.engines.bundle import Exported  # for who asks for it
        from durably_cli.engines.dbos.export import pack_rows

        view = self.runs.view(run_id)
        contents = pack_rows(self.database, view, job_files, out)
        return Exported(contents, None, goes_on=not view.row.is_over or view.state.is_waiting)

    def refuse_to_go_on(self, view: RunView, *, is_fork: bool) -> None:
        assert isinstance(view, DatabaseView)
        if not view.state.is_final or is_fork:
            view.refuse_if_taken_up()
        if is_fork:
            from durably_cli.engines.forking import check_may_fork  # rarely asked for

            check_may_fork(view.where, view.state)

    def fork(
        self,
        origin: str,
        asked: ForkRequest,
        load: Callable[[], Runnable],
        seconds: float | None = None,
    ) -> str:
        """The run that was made of this one, for a worker to execute; `load` gives its job.

        Each attempt may take so many seconds.
        """
        from durably_cli.engines.dbos.fork import make_fork  # for who asks for it

        def settle(wanted: Json) -> ReadyInput:
            return load().settle(wanted, is_compared=False)

        return make_fork(self.database, origin, asked, settle, seconds).created.run

    def noted(self, *, patient: bool = False) -> NotedRows:
        return NotedRows(self.database.url, self.database.project, patient=patient)

    def retain(self, keep: float | None, keep_last: int) -> list[str]:
        """Remove what need not stay, in a session of its own; the runs that are gone."""
        from durably_cli.engines.dbos.retention import retain_rows  # for workers

        database = RunDatabase(self.database.url, self.database.project)
        try:
            return retain_rows(database, keep, keep_last)
        finally:
            database.close()

    def workers_of(self, job: str) -> int:
        """How many live workers have this job."""
        return len(workers_that_have(self.database, job))

    def _ask_again(self, view: DatabaseView, asked: AskedAttempt) -> None:
        if not ask_again(self.database, view, asked):
            run = short(view.run_id)
            what = f"another process resumes run {run} at this moment"
            raise Busy(what, hint=hints.command("wait", run))
