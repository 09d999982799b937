"""Which workers there are, and what waits for them."""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli.engines.dbos.database import RunDatabase, is_locked, masked


def workers_that_have(database: RunDatabase, job: str) -> list[str]:
    """The live workers that have this job."""
    found = database.rows(
        "select executor from durably.workers where project = %s and %s = any(jobs)",
        *(database.project, job),
    )
    return [executor for (executor,) in found if is_locked(database, executor)]


def census(database: RunDatabase) -> Iterator[tuple[str, ...]]:
    """Cells: the server; each worker; each job that has runs that are queued or executed."""
    version = database.row("show server_version")
    yield "server", masked(database.url), database.project, str(version and version[0])
    for executor, host, slots, jobs, made_by in database.rows(
        "select executor, host, slots, jobs, version from durably.workers where project = %s"
        " order by since",
        database.project,
    ):
        state = "alive" if is_locked(database, executor) else "gone"
        yield "worker", executor, state, host, made_by, str(slots), ",".join(jobs)
    for job, queued, executed in database.rows(
        "select r.job, count(*) filter (where s.status <> 'PENDING'),"
        " count(*) filter (where s.status = 'PENDING')"
        " from durably.runs r join dbos.workflow_status s on s.workflow_uuid = r.run"
        " where r.project = %s and s.status in ('ENQUEUED', 'DELAYED', 'PENDING')"
        " group by r.job order by r.job",
        database.project,
    ):
        yield "job", job, str(queued), str(executed)
