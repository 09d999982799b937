"""What is noted for notices, in rows: `Noted` says what each method is for.

A worker is at a run as long as DBOS has that as PENDING: also while it sends what there is to say
of its end. If it dies there, another one takes the run up, finds it ended, and so PENDING is over:
then whoever sweeps says it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from durably_cli.engines.dbos.database import RunDatabase, lock_of
from durably_cli.engines.dbos.liveness import KEEPALIVE_OF_SERVER
from durably_cli.engines.dbos.view import DatabaseView, look_at_run
from durably_cli.engines.noted import Failing, failing_of
from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.values.strict_json import to_json

_PAUSE_SECONDS = 0.2


class NotedRows:
    """Those of one project. For any thread; with `patient`, the server is waited for."""

    def __init__(self, url: str, project: str, *, patient: bool) -> None:
        self._patient = patient
        self._database = RunDatabase(url, project, patient=patient)
        self._idle = list[RunDatabase]()
        """Sessions for locks: one that has a lock could take it twice."""

    def is_unheard(self, run_id: str) -> bool:
        """Has a notice's command triggered it, so that nothing is to be said of it?"""
        row = self._database.row("select 1 from durably.unheard where run = %s", run_id)
        return row is not None

    def put_down(self, run_id: str, attempt: int) -> None:
        self._database.change(
            "insert into durably.noted values (%s, %s, %s) on conflict (run) do update"
            " set attempt = greatest(noted.attempt, excluded.attempt), dead = null",
            *(run_id, self._database.project, attempt),
        )

    def cross_out(self, run_id: str, attempts: int) -> None:
        self._database.change(
            "delete from durably.noted where run = %s and (attempt <= %s or not exists("
            "select from durably.runs where run = noted.run))",
            *(run_id, attempts),
        )

    def left(self) -> Iterator[str]:
        rows = self._database.rows(
            "select n.run from durably.noted n"
            " left join dbos.workflow_status s on s.workflow_uuid = n.run"
            " where n.project = %s and s.status is distinct from 'PENDING' order by n.run",
            self._database.project,
        )
        return (run for (run,) in rows)

    def look(self, run_id: str) -> DatabaseView | Unreadable | None:
        """Nobody holds an attempt that is over: what is said is to be true a moment later."""
        view = look_at_run(self._database, run_id)
        if isinstance(view, DatabaseView) and not _goes_on(view):
            view.held = False
        return view

    def is_executed(self, view: RunView) -> bool:
        return isinstance(view, DatabaseView) and view.row.is_taken and _goes_on(view)

    def dead(self, run_id: str) -> dict[str, Any]:
        row = self._database.row("select dead from durably.noted where run = %s", run_id)
        return _in(row[0]) if row else {}

    def note_dead(self, run_id: str, dead: Mapping[str, str]) -> None:
        text = to_json(dict(dead))
        self._database.change("update durably.noted set dead = %s where run = %s", text, run_id)

    def stamp(self, run_id: str) -> list[int | str]:
        row = self._database.row(f"select {_STAMP} from durably.runs r where r.run = %s", run_id)
        return [int(row[0])] if row else []

    def failing(self) -> Iterator[tuple[Failing, bool]]:
        for found, steps, is_taken in self._database.rows(_FAILING, self._database.project):
            failing = failing_of(_in(found))
            if failing is not None:
                stamp = [] if steps is None else [int(steps)]
                yield failing, failing.stamp != stamp and not is_taken

    @contextmanager
    def one(self, job: str, key: str, seconds: float) -> Iterator[_FailingRow | None]:
        name = "notice " + to_json([self._database.project, job, key])
        with self._session() as session, _locked(session, name, seconds) as is_locked:
            yield _FailingRow(self._database, job, key) if is_locked else None

    @contextmanager
    def _session(self) -> Iterator[RunDatabase]:
        """A session that no other thread has; one in which something went wrong is ended."""
        session: RunDatabase | None = None
        with suppress(IndexError):
            session = self._idle.pop()
        if session is None:
            url, project = self._database.url, self._database.project
            session = RunDatabase(url, project, patient=self._patient, options=KEEPALIVE_OF_SERVER)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._idle.append(session)


class _FailingRow:
    """What is noted of a job and key, while this process has its lock."""

    def __init__(self, database: RunDatabase, job: str, key: str) -> None:
        self._database, self._of = database, (database.project, job, key)
        row = database.row(
            "select found from durably.failing where (project, job, key) = (%s, %s, %s)", *self._of
        )
        self.found = failing_of(_in(row[0])) if row else None

    def write(self, failing: Failing) -> None:
        self._database.change(
            "insert into durably.failing values (%s, %s, %s, %s, %s)"
            " on conflict (project, job, key) do update"
            " set run = excluded.run, found = excluded.found",
            *(*self._of, failing.run, to_json(failing._asdict())),
        )

    def remove(self) -> None:
        self._database.change(
            "delete from durably.failing where (project, job, key) = (%s, %s, %s)", *self._of
        )


def _goes_on(view: DatabaseView) -> bool:
    """Is an end of the last attempt still to come? DBOS learns of it behind its events."""
    attempts = view.state.attempts
    return not view.state.has_ended and (not attempts or attempts[-1].ended is None)


@contextmanager
def _locked(session: RunDatabase, name: str, seconds: float) -> Iterator[bool]:
    """Inside, this session has the lock of that name; False if another has it for so long."""
    until = time.monotonic() + seconds
    while not (is_mine := _try_lock(session, name)) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    yield is_mine
    if is_mine:  # else, behind an error, the session ends, and the lock with it
        session.row("select pg_advisory_unlock(%s, %s)", *lock_of(name))


def _try_lock(session: RunDatabase, name: str) -> bool:
    row = session.row("select pg_try_advisory_lock(%s, %s)", *lock_of(name))
    return bool(row and row[0])


def _in(text: str | None) -> dict[str, Any]:
    """What is written in a row; nothing if that cannot be read."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_STAMP = (
    "coalesce((select max(function_id) from dbos.operation_outputs where workflow_uuid = r.run), 0)"
)
"""How many durable events a run has: none is removed."""
_FAILING = (
    f"select f.found, case when r.run is not null then {_STAMP} end,"
    " coalesce(s.status = 'PENDING', false) from durably.failing f"
    " left join durably.runs r on r.run = f.run"
    " left join dbos.workflow_status s on s.workflow_uuid = f.run"
    " where f.project = %s order by f.job, f.key"
)
