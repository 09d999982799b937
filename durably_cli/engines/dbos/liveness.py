"""Which workers are alive, and what becomes of the runs of one that is not.

A worker holds an advisory lock in a session of its own. The server lets go of it when the session
ends: at once if the process dies, some seconds after its machine is cut off. Every other worker
tries the locks of those that have runs, and has the runs of a dead one taken up under its lock.
A worker that is merely stopped keeps its session, and so its runs.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from durably_cli.engines.dbos.database import RunDatabase, is_locked, lock_of
from durably_cli.engines.dbos.hooks import Hooks
from durably_cli.engines.dbos.queues import application, queue_of
from durably_cli.engines.dbos.resumes import take_passed_on
from durably_cli.errors import DurablyError
from durably_cli.system import clock

_LOOKS_SECONDS = 0.5
_GRACE = 5.0
"""Seconds after a start of the server in which nobody is taken for dead: all locks are free then,
until their workers have come back."""

KEEPALIVE = (
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=5000"
)


class Liveness:
    """This worker's lock, and its look at those of others; `recover` and `wake` are DBOS's."""

    def __init__(
        self,
        database: RunDatabase,
        executor: str,
        recover: Callable[[str], object],
        wake: Callable[[str, str, str | None, int], object],
        say: Callable[[str], object],
        hooks: Hooks,
    ) -> None:
        self._hooks = hooks
        self._database, self._executor = database, executor
        self._project = database.project
        self._application = application(self._project)
        database.options = KEEPALIVE
        self._recover, self._wake, self._say = recover, wake, say
        self._ended, self._nudge = threading.Event(), threading.Event()
        self._as: tuple[Sequence[str], int, str] = ((), 0, "")

    def begin(self, jobs: Sequence[str], slots: int, version: str) -> None:
        """Take the lock, and say who is there."""
        self._as = (jobs, slots, version)
        self._come()
        for (other,) in self._database.rows(_WORKERS, self._project, self._executor):
            if not is_locked(self._database, other):
                self._forget(other)
        take_passed_on(self._database, jobs)

    def end(self) -> None:
        """Let go of it."""
        self._ended.set()
        self._nudge.set()
        with suppress(DurablyError):
            self._forget(self._executor)
        self._database.close()

    def look_now(self) -> None:
        """Something is to go on: do not sleep over it."""
        self._nudge.set()

    def watch(self) -> None:
        """Look after the others, and after runs whose time has come, until the end."""
        while not self._ended.is_set():
            self._nudge.wait(_LOOKS_SECONDS)
            self._nudge.clear()
            self._hooks.now_and_then()
            try:
                for owner, run, key, steps in self._database.rows(
                    _TO_DO, self._application, self._executor, _GRACE, self._project, clock.now()
                ):
                    if owner is not None:
                        self._take_over(owner)
                    else:
                        self._wake_one(run, key, steps)
            except DurablyError as error:
                self._say(f"{error.what}; trying again")
                self._come_back()

    def _forget(self, executor: str) -> None:
        self._database.change("delete from durably.workers where executor = %s", executor)

    def _take_over(self, other: str) -> None:
        if not self._locks(other):
            return
        try:
            self._say(f"worker {other} is gone: its runs are taken up")
            self._recover(other)
            self._forget(other)
        finally:
            self._database.row("select pg_advisory_unlock(%s, %s)", *lock_of(other))

    def _wake_one(self, run: str, key: str | None, steps: int) -> None:
        """Of several workers one succeeds: to DBOS the run has not ended any more then."""
        if not self._locks(run):
            return
        try:
            self._wake(run, queue_of(self._project, key), key, steps)
        except Exception as error:
            self._say(f"run {run} was not woken: {error}")
        finally:
            self._database.row("select pg_advisory_unlock(%s, %s)", *lock_of(run))

    def _locks(self, name: str) -> bool:
        row = self._database.row("select pg_try_advisory_lock(%s, %s)", *lock_of(name))
        return bool(row and row[0])

    def _come(self) -> None:
        self._locks(self._executor)
        jobs, slots, version = self._as
        self._database.change(
            "insert into durably.workers (executor, project, host, pid, version, jobs, slots)"
            " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            *(self._executor, self._project, socket.gethostname(), os.getpid(), version),
            *(list(jobs), slots),
        )

    def _come_back(self) -> None:
        while not self._ended.wait(0.3):
            with suppress(DurablyError):
                self._database.close()
                self._come()
                return


_WORKERS = "select executor from durably.workers where project = %s and executor <> %s"
_TO_DO = (
    "select distinct executor_id, null, null, 0 from dbos.workflow_status"
    " where status = 'PENDING' and application_name = %s and executor_id <> %s"
    " and now() - pg_postmaster_start_time() >= make_interval(secs => %s)"
    " union all select null, r.run, r.concurrency_key, coalesce((select max(function_id)"
    " from dbos.operation_outputs where workflow_uuid = r.run), 0)"
    " from durably.runs r join dbos.workflow_status s on s.workflow_uuid = r.run"
    " where r.project = %s and s.status = 'ERROR' and r.run in (select run from durably.suspended"
    " where due <= %s union all select run from durably.resumes where not is_taken)"
)
"""Of other workers those that have runs; and runs that are to go on, with their key and steps."""
