"""How a run stands, as one row says, without its events."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.run_view import CancelRequest

_QUEUED = ("ENQUEUED", "DELAYED")


class RunRow(NamedTuple):
    """DBOS's status, who executes it, when it ended, who wants it to end.

    One that is `is_asked_for` goes on as soon as a worker has looked.
    """

    status: str
    executor: str | None
    ended_at: int | None
    is_asked_for: bool
    request: CancelRequest | None

    @property
    def is_queued(self) -> bool:
        """Is it to go on as soon as a worker takes it up?"""
        return self.status in _QUEUED or self.is_asked_for

    @property
    def is_taken(self) -> bool:
        """Does DBOS say that a worker executes it?"""
        return self.status == "PENDING"

    @property
    def is_over(self) -> bool:
        """Has it ended, or is it suspended, so that no worker goes on with it by itself?"""
        return not self.is_taken and not self.is_queued


def read_row(database: RunDatabase, run_id: str) -> RunRow | None:
    """The row of a run of this project; None if there is none."""
    row = database.row(_ROW, run_id, database.project)
    if row is None:
        return None
    status, executor, ended_at, is_asked_for, *asked = row
    request = CancelRequest(*asked) if asked[0] is not None else None
    return RunRow(status, executor, ended_at, is_asked_for, request)


_ROW = (
    "select s.status, s.executor_id, s.completed_at,"
    " coalesce(s.status = 'ERROR' and ("
    "exists(select from durably.resumes e where e.run = r.run and not e.is_taken) or exists("
    "select from durably.suspended p where p.run = r.run and p.was_passed_on)), false),"
    " c.asked_by, c.asked_at, c.reason"
    " from durably.runs r left join dbos.workflow_status s on s.workflow_uuid = r.run"
    " left join durably.cancels c on c.run = r.run where (r.run, r.project) = (%s, %s)"
)
