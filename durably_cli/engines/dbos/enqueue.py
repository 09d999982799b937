"""Making a run, in one transaction with its idempotency key and its place in a queue."""

from __future__ import annotations

import json
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.dbos.carried import refuse_carried
from durably_cli.engines.dbos.database import RunDatabase, lock_of
from durably_cli.engines.dbos.log import MOST_BYTES
from durably_cli.engines.dbos.queues import WORKFLOW, application, queue_of
from durably_cli.engines.dbos.resumes import limit_attempts
from durably_cli.engines.dbos.stored import line_at
from durably_cli.engines.keys import of_deleted_run
from durably_cli.engines.request import Disposition, OnConflict, Request, canonical_sha256
from durably_cli.errors import Busy, Conflict, InvalidInput, NotFound, UsageError
from durably_cli.journal.events import RunCreated
from durably_cli.system import ids
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

_LONGEST_KEY = 1_000
"""An index has them, whose rows have a bound."""


class Enqueued(NamedTuple):
    """The run of a request, and how it is that."""

    run_id: str
    disposition: Disposition


def claimed_by(database: RunDatabase, request: Request) -> str | None:
    """The run of the request's idempotency key, if its input is that of this request, as given.

    NotFound if that run was deleted, or is of another engine.
    """
    refuse_carried(database, request.job, request.idempotency_key or "")
    row = _claim(database, request)
    return row[0] if row and row[1] == canonical_sha256(request.input) else None


def enqueue(
    database: RunDatabase,
    request: Request,
    input: Json,
    canonical: Json,
    *,
    seconds: float | None = None,
    is_unheard: bool = False,
) -> Enqueued:
    """Make the run that is asked for, with this input, unless there is one of its key.

    Each attempt may take so many seconds. Of one that `is_unheard` no notice is sent, and no ping.

    Conflict if the idempotency key has another input; Busy if the concurrency key is taken and the
    request does not wait.
    """
    created = request.made_as(ids.new(), input)
    for text in filter(None, (created.idempotency_key, created.concurrency_key)):
        if len(text) > _LONGEST_KEY or "\0" in text:
            most = f"has {_LONGEST_KEY:,} characters at most, and none of them is NUL"
            raise UsageError(f"a key of a run in a database {most}: {text[:40]!r}")
    if any("\0" in text for text in (*created.labels, *created.labels.values())):
        raise UsageError("a label of a run in a database has no NUL")
    with database.transaction():
        if request.idempotency_key is not None:
            is_new = database.change(
                "insert into durably.keys values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                *(database.project, request.job, request.idempotency_key, created.run),
                *(canonical_sha256(request.input), canonical_sha256(canonical)),
            )
            if not is_new:
                return Enqueued(_of_key(database, request, canonical), Disposition.IDEMPOTENT)
        if request.concurrency_key is not None and request.on_conflict is not OnConflict.WAIT:
            ahead = _has_turn(database, request.concurrency_key)
            if ahead is not None:
                if request.on_conflict is OnConflict.FAIL:
                    raise _taken(request.concurrency_key, ahead)
                if request.idempotency_key is not None:
                    database.change(
                        "delete from durably.keys where (project, job, key) = (%s, %s, %s)",
                        *(database.project, request.job, request.idempotency_key),
                    )
                return Enqueued(ahead, Disposition.COALESCED)
        insert_run(database, created)
        if seconds is not None:
            limit_attempts(database, created.run, seconds)
        if is_unheard:
            database.change("insert into durably.unheard values (%s)", created.run)
    return Enqueued(created.run, Disposition.CREATED)


def enqueue_run(database: RunDatabase, created: RunCreated) -> None:
    """Make a run, for a worker to execute, unless it is there."""
    database.whole(lambda: insert_run(database, created))


def insert_run(database: RunDatabase, created: RunCreated) -> None:
    """The same, in a transaction of the caller."""
    line = line_at(0, created)
    if len(line) > MOST_BYTES:
        what = f"the input has {len(line):,} bytes, and no row may have more than {MOST_BYTES:,}"
        raise InvalidInput(what, hint="write it to a file that workers can read, and give its path")
    is_new = database.change(
        "insert into durably.runs values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        *(created.run, database.project, created.job, line),
        *(json.dumps(created.labels), created.concurrency_key, created.idempotency_key),
    )
    if not is_new:
        return
    database.row(
        "select dbos.enqueue_workflow(%s, %s, array[%s]::json[], workflow_id => %s,"
        " queue_partition_key => %s, application_name => %s)",
        *(WORKFLOW, queue_of(database.project, created.concurrency_key)),
        *(json.dumps(created.run), created.run, created.concurrency_key),
        application(database.project),
    )


def _claim(database: RunDatabase, request: Request) -> tuple[str, str, str] | None:
    row = database.row(
        "select run, input_sha256, canonical_sha256, deleted from durably.keys"
        " where (project, job, key) = (%s, %s, %s)",
        *(database.project, request.job, request.idempotency_key),
    )
    if row is None:
        return None
    if row[3] is not None:
        raise of_deleted_run(request.job, request.idempotency_key, row[3])
    return row[0], row[1], row[2]


def _of_key(database: RunDatabase, request: Request, canonical: Json) -> str:
    claim = _claim(database, request)
    if claim is None:
        what = f"the run of the idempotency key {request.idempotency_key!r} was deleted meanwhile"
        raise NotFound(f"{what}, and the key is free", hint="trigger it again")
    run, given, equal = claim
    if canonical_sha256(request.input) == given or canonical_sha256(canonical) == equal:
        return run
    raise Conflict(
        f"the idempotency key {request.idempotency_key!r} of {request.job} was used with another "
        f"input, for run {short(run)}",
        hint=f"{hints.command('inspect', run)}    (or use another key)\n"
        f"{hints.command('help', 'care')}    (says how to free this one)",
        run=run,
    )


def _has_turn(database: RunDatabase, key: str) -> str | None:
    """The run that has the key, or waits for it; nobody else looks until the transaction ends."""
    database.row("select pg_advisory_xact_lock(%s, %s)", *lock_of(f"{database.project} {key}"))
    row = database.row(
        "select r.run from durably.runs r join dbos.workflow_status s on s.workflow_uuid = r.run"
        " where (r.project, r.concurrency_key) = (%s, %s)"
        " and (s.status in ('ENQUEUED', 'DELAYED', 'PENDING') or s.status = 'ERROR' and exists("
        "select from durably.suspended p where p.run = r.run and p.was_passed_on))"
        " order by r.run limit 1",
        *(database.project, key),
    )
    return row[0] if row else None


def _taken(key: str, run: str) -> Busy:
    return Busy(
        f"run {short(run)} has the concurrency key {key!r}",
        hint="try again later, or wait for it: --on-conflict wait",
        run=run,
    )
