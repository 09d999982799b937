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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from durably_cli.engines.dbos.database import RunDatabase, lock_of
from durably_cli.engines.dbos.hooks import Hooks
from durably_cli.engines.dbos.queues import application, queue_of
from durably_cli.engines.dbos.resumes import take_passed_on
from durably_cli.errors import DurablyError
from durably_cli.system import clock

_LOOKS_SECONDS, _FORGETS_SECONDS, _UNHEARD_SECONDS = 0.5, 30.0, 10.0
_GRACE = 5.0
"""Seconds after a start of the server in which nobody is taken for dead: all locks are free then,
until their workers have come back."""

KEEPALIVE_OF_SERVER = (
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=5000"
)


class RunsOfDbos(NamedTuple):
    """What DBOS does with runs: take up those of a dead worker; hand one out again, of a queue and
    a key; whether it was given to this worker unheard; and give such a one back.
    """

    recover: Callable[[str], object]
    wake: Callable[[str, str, str | None], object]
    is_unheard_of: Callable[[str], bool]
    give_back: Callable[[str], object]


class Liveness:
    """This worker's lock, and its look at those of others and at the runs that are to go on."""

    def __init__(
        self,
        database: RunDatabase,
        executor: str,
        dbos: RunsOfDbos,
        say: Callable[[str], object],
        hooks: Hooks,
    ) -> None:
        self._dbos, self._hooks = dbos, hooks
        self._database, self._executor = database, executor
        self._project = database.project
        self._application = application(self._project)
        database.options = KEEPALIVE_OF_SERVER
        self._ended, self._nudge = threading.Event(), threading.Event()
        self._say_anyhow = say
        self._forget_at = 0.0
        self._unheard = dict[str, float]()
        """Runs that this worker has, and does not know of, and since when that was seen."""
        self._as: tuple[Sequence[str], int, str] = ((), 0, "")

    def begin(self, jobs: Sequence[str], slots: int, version: str) -> None:
        """Take the lock, and say who is there."""
        self._as = (jobs, slots, version)
        self._come()
        self._forget_dead()
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
            try:
                self._hooks.now_and_then()
                self._look()
            except Exception as error:  # whatever it is, others rely on this one
                self._say(f"{error}; trying again")
                self._come_back()

    def _look(self) -> None:
        mine = list[str]()
        for owner, run, key in self._database.rows(
            _TO_DO, self._application, _GRACE, self._executor, self._project, clock.now()
        ):
            if owner is None:
                self._wake_one(run, key)
            elif owner != self._executor:
                self._take_over(owner)
            else:
                mine.append(run)
        self._give_back_unheard(mine)
        if time.monotonic() > self._forget_at:
            self._forget_dead()

    def _give_back_unheard(self, mine: Sequence[str]) -> None:
        """Give back what this worker was given while it lost the connection, and never heard of."""
        now, unheard = time.monotonic(), self._unheard
        self._unheard = {
            run: unheard.get(run, now) for run in mine if self._dbos.is_unheard_of(run)
        }
        for run, since in self._unheard.items():
            if now - since > _UNHEARD_SECONDS:
                self._say(f"run {run} was given to this worker unheard: it is given back")
                self._dbos.give_back(run)

    def _forget_dead(self) -> None:
        """Forget workers that had no run when they died, so that nobody took anything up."""
        self._forget_at = time.monotonic() + _FORGETS_SECONDS
        for (other,) in self._database.rows(_WORKERS, self._project, self._executor):
            with self._locked(other) as is_mine:
                if is_mine:
                    self._forget(other)

    def _say(self, text: str) -> None:
        with suppress(Exception):  # nobody reads
            self._say_anyhow(text)

    def _forget(self, executor: str) -> None:
        self._database.change("delete from durably.workers where executor = %s", executor)

    def _take_over(self, other: str) -> None:
        with self._locked(other) as is_mine:
            if is_mine:
                self._say(f"worker {other} is gone: its runs go on here")
                self._dbos.recover(other)
                self._forget(other)

    def _wake_one(self, run: str, key: str | None) -> None:
        """Of several workers one does it, if it is still to be done when this one has its lock."""
        with self._locked(run) as is_mine:
            if is_mine and self._database.row(_STILL, run, clock.now()):
                try:
                    self._dbos.wake(run, queue_of(self._project, key), key)
                except Exception as error:
                    said = str(getattr(error, "orig", error)).strip().splitlines()[0]
                    self._say(f"run {run} was not woken: {said}")

    @contextmanager
    def _locked(self, name: str) -> Iterator[bool]:
        """Has this worker the lock of that name inside? It waits for nobody."""
        lock = lock_of(name)
        row = self._database.row("select pg_try_advisory_lock(%s, %s)", *lock)
        is_mine = bool(row and row[0])
        try:
            yield is_mine
        finally:
            if is_mine:
                self._database.row("select pg_advisory_unlock(%s, %s)", *lock)

    def _come(self) -> None:
        """Take this worker's lock, which another one may hold for a moment that looks after it."""
        lock = lock_of(self._executor)
        while not (row := self._database.row("select pg_try_advisory_lock(%s, %s)", *lock)) or (
            not row[0]
        ):
            time.sleep(0.1)
        jobs, slots, version = self._as
        self._database.change(
            "insert into durably.workers (executor, project, host, pid, version, jobs, slots)"
            " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            *(self._executor, self._project, socket.gethostname(), os.getpid(), version),
            *(list(jobs), slots),
        )

    def _come_back(self) -> None:
        while not self._ended.wait(0.3):
            with suppress(Exception):
                self._database.close()
                self._come()
                return


_WORKERS = "select executor from durably.workers where project = %s and executor <> %s"
_TO_DO = (
    "select executor_id, min(workflow_uuid), null from dbos.workflow_status"
    " where status = 'PENDING' and application_name = %s"
    " and now() - pg_postmaster_start_time() >= make_interval(secs => %s)"
    " group by executor_id, case when executor_id = %s then workflow_uuid end"
    " union all select null, r.run, r.concurrency_key"
    " from durably.runs r join dbos.workflow_status s on s.workflow_uuid = r.run"
    " where r.project = %s and s.status = 'ERROR' and r.run in (select run from durably.suspended"
    " where due <= %s union all select run from durably.resumes where not is_taken)"
)
"""Each other worker that has runs; the runs of this one; and those that are to go on, with their
key."""
_STILL = (
    "select 1 from dbos.workflow_status s where s.workflow_uuid = %s and s.status = 'ERROR'"
    " and (exists(select from durably.suspended p where p.run = s.workflow_uuid and p.due <= %s)"
    " or exists(select from durably.resumes e where e.run = s.workflow_uuid and not e.is_taken))"
)
