"""Which workers there are, and what waits for them."""

from __future__ import annotations

from importlib import metadata

from durably_cli.engines.census import Census, JobLoad, WorkerSeen
from durably_cli.engines.dbos.database import RunDatabase, locked_among, masked


def workers_that_have(database: RunDatabase, job: str) -> list[str]:
    """The live workers that have this job."""
    found = database.rows(
        "select executor from durably.workers where project = %s and %s = any(jobs)",
        *(database.project, job),
    )
    return locked_among(database, [executor for (executor,) in found])


def census_of(database: RunDatabase) -> Census:
    """That of the project, of one moment."""
    with database.transaction(reads=True):
        version = database.row("show server_version")
        seen = database.rows(_WORKERS_SEEN, database.project)
        alive = locked_among(database, [executor for executor, *_ in seen])
        workers = [WorkerSeen(executor, executor in alive, *rest) for executor, *rest in seen]
        loads = database.rows(_LOADS, alive, alive, database.project)
        jobs = [JobLoad(*each) for each in loads]
    try:
        dbos = metadata.version("dbos")
    except metadata.PackageNotFoundError:
        dbos = ""
    server = str(version and version[0])
    return Census(masked(database.url), database.project, server, dbos, workers, jobs)


_WORKERS_SEEN = (
    "select w.executor, w.host, w.pid, w.version, w.slots, (select count(*)"
    " from dbos.workflow_status s where s.executor_id = w.executor and s.status = 'PENDING'),"
    " to_char(w.since at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), w.jobs"
    " from durably.workers w where w.project = %s order by w.since"
)
_LOADS = (
    "select r.job, count(*) filter (where s.status in ('ENQUEUED', 'DELAYED') or p.was_passed_on"
    " or (s.status = 'PENDING' and s.executor_id <> all(%s))),"
    " count(*) filter (where s.status = 'PENDING' and s.executor_id = any(%s)),"
    " count(*) filter (where s.status = 'ERROR' and not p.was_passed_on)"
    " from dbos.workflow_status s join durably.runs r on r.run = s.workflow_uuid"
    " left join durably.suspended p on p.run = r.run and s.status = 'ERROR'"
    " where r.project = %s"
    " and (s.status in ('ENQUEUED', 'DELAYED', 'PENDING') or p.run is not null)"
    " group by r.job order by r.job"
)
