"""Removing runs from the database, each in one transaction: `Removal` says what each method is for.

The row that DBOS has of a run is locked first, so that no worker takes the run up meanwhile. It is
not DBOS's client that removes its rows: that has a transaction of its own, in which neither the key
nor the rows of durably would go.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress

from durably_cli import hints
from durably_cli.engines.dbos.cancel import cancel_if_open
from durably_cli.engines.dbos.carried import forget_carried
from durably_cli.engines.dbos.database import RunDatabase, masked
from durably_cli.engines.dbos.runs import PAUSE_SECONDS
from durably_cli.engines.dbos.stored import event_in
from durably_cli.engines.dbos.view import DatabaseView, look_at_run
from durably_cli.engines.old import FINAL, Old, ended_at, in_families
from durably_cli.engines.removal import check_is_not_needed, check_may_go
from durably_cli.engines.run_view import Unreadable
from durably_cli.errors import Busy, DurablyError, NotFound
from durably_cli.journal.codec import BadLine
from durably_cli.journal.events import RunCreated
from durably_cli.journal.state import Status
from durably_cli.system import clock
from durably_cli.system.ids import short


class DatabaseRemoval:
    """Of a project's runs."""

    def __init__(self, database: RunDatabase) -> None:
        self._database = database

    def sweep(self) -> int:
        return 0  # a removal is done, or not

    def remove(self, run_id: str, statuses: Collection[Status], *, free_key: bool) -> int:
        database = self._database
        before = self._taken_up(run_id)
        run = self._free(run_id)
        check_may_go(run_id, run.status, statuses)
        if isinstance(run, DatabaseView):
            parent = run.state.created.parent
            if parent:
                check_is_not_needed(lambda of: look_at_run(database, of), run_id, parent)
        with database.transaction():
            if self._taken_up(run_id, locks=True) != before:
                raise _busy(run_id, "is taken up by a worker at this moment")
            if free_key:
                database.change(_FREE, run_id)
            else:
                database.change(_BURY, clock.now(), run_id)
            row = database.row(_BYTES, *(run_id,) * 3)
            for statement in _REMOVE:
                database.change(statement, run_id)
        for child in run.state.open_children if isinstance(run, DatabaseView) else ():
            with suppress(DurablyError):
                cancel_if_open(database, child, f"its parent, run {short(run_id)}, is deleted")
        return int(row[0]) if row else 0

    def old_runs(self, old: Old) -> list[str]:
        statuses = old.statuses or FINAL
        ended = [_OF_DBOS[each] for each in statuses if each in _OF_DBOS]
        rows = self._database.rows(
            _OLD,
            *(ended, self._database.project, old.keep_last),
            *(ended, int(old.before.timestamp() * 1000)),
            bool(set(statuses) - set(_OF_DBOS)),
            Status.CANCELLED in statuses,
        )
        return in_families(
            {
                run_id: _parent_in(line)
                for run_id, line, is_known in rows
                if is_known or self._is_old(run_id, old, statuses)
            },
            self._is_there,
        )

    def free_key(self, job: str, key: str) -> bool:
        was_carried = forget_carried(self._database, job, key)
        changed = self._database.change(
            "delete from durably.keys where (project, job, key) = (%s, %s, %s)",
            *(self._database.project, job, key),
        )
        return bool(changed) or was_carried

    def _is_old(self, run_id: str, old: Old, statuses: Collection[Status]) -> bool:
        run = look_at_run(self._database, run_id)
        if run is None or run.status not in statuses or ended_at(run) >= old.before:
            return False
        return not isinstance(run, DatabaseView) or not (run.held or run.row.is_queued)

    def _is_there(self, run_id: str) -> bool:
        row = self._database.row("select 1 from durably.runs where run = %s", run_id)
        return row is not None

    def _free(self, run_id: str) -> DatabaseView | Unreadable:
        """The run as it is now. NotFound if there is none, Busy if a worker is to go on with it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            run = look_at_run(self._database, run_id)
            if run is None:
                where = f"{self._database.project} in {masked(self._database.url)}"
                raise NotFound(f"there is no run {run_id} of {where}", hint=hints.command("list"))
            if not isinstance(run, DatabaseView) or not (run.held or run.row.is_queued):
                return run
            if not run.state.is_final or time.monotonic() > deadline:
                at = f", on {run.row.executor}" if run.held else ", and waits for a worker"
                raise _busy(run_id, f"is {run.status}{at}")
            time.sleep(PAUSE_SECONDS)  # its end is there, and its worker about to be done with it

    def _taken_up(self, run_id: str, *, locks: bool = False) -> tuple[object, ...]:
        """What changes when a worker takes the run up, or is to: none does, if it `locks`."""
        row = self._database.row(_LOCK if locks else _LOOK, run_id)
        asked = self._database.row(_ASKED, run_id)
        return (*(row or ()), *(asked or ()))


def _busy(run_id: str, what: str) -> Busy:
    run = short(run_id)
    return Busy(f"run {run} {what}", hint=f"{hints.command('cancel', run)}    (ends it for good)")


def _parent_in(line: str) -> str:
    """The run of which the run is a step that was made so; empty if it is none."""
    try:
        event = event_in(line)[1]
    except (BadLine, ValueError):
        return ""
    return event.parent if isinstance(event, RunCreated) else ""


_PATIENCE_SECONDS = 3.0

_OF_DBOS = {Status.COMPLETED: "SUCCESS", Status.CANCELLED: "CANCELLED"}
"""What DBOS calls runs that ended so, but for some of the cancelled ones."""

_LOOK = (
    "select updated_at, status, owner_xid, executor_id from dbos.workflow_status"
    " where workflow_uuid = %s"
)
_LOCK = (
    "select updated_at, status, owner_xid, executor_id from dbos.workflow_status"
    " where workflow_uuid = %s for update"
)
_ASKED = "select count(*) from durably.resumes where run = %s and not is_taken"
_OLD = (
    "select run, line, coalesce(status = any(%s), false) from ("
    " select r.run, r.line, s.status, coalesce(s.completed_at, s.updated_at) as ended,"
    " row_number() over (partition by r.job order by r.run desc) as place"
    " from durably.runs r left join dbos.workflow_status s on s.workflow_uuid = r.run"
    " where r.project = %s) as runs"
    " where place > %s and ((status = any(%s) and ended < %s)"
    " or (%s and coalesce(status, 'ERROR') in ('ERROR', 'PENDING'))"
    " or (%s and status = 'ERROR' and 0 < (select position('run.cancelled' in o.output)"
    " from dbos.operation_outputs o where o.workflow_uuid = run"
    " order by o.function_id desc limit 1)))"
    " order by run desc"
)
_OF_KEY = "(select project, job, idempotency_key, run from durably.runs where run = %s)"
_FREE = f"delete from durably.keys where (project, job, key, run) in {_OF_KEY}"
_BURY = f"update durably.keys set deleted = %s where (project, job, key, run) in {_OF_KEY}"
_BYTES = (
    "select (select octet_length(line) from durably.runs where run = %s)"
    " + coalesce((select sum(octet_length(line)) from durably.talk where run = %s), 0)"
    " + coalesce((select sum(octet_length(output)) from dbos.operation_outputs"
    " where workflow_uuid = %s), 0)"
)
_REMOVE = (
    "delete from dbos.workflow_input where workflow_uuid = %s",
    "delete from dbos.workflow_output where workflow_uuid = %s",
    "delete from dbos.operation_outputs where workflow_uuid = %s",
    "delete from dbos.workflow_status where workflow_uuid = %s",  # and what refers to it
    "delete from durably.talk where run = %s",
    "delete from durably.signals where run = %s",
    "delete from durably.cancels where run = %s",
    "delete from durably.suspended where run = %s",
    "delete from durably.resumes where run = %s",
    "delete from durably.unheard where run = %s",
    "delete from durably.forks where %s in (run, origin)",
    "delete from durably.runs where run = %s",
)
