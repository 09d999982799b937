"""Attempts at runs that DBOS has given to this worker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping

from durably_cli.engines.again import due_at_once
from durably_cli.engines.dbos.census import workers_that_have
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.held_run import HeldRun
from durably_cli.engines.dbos.hooks import Hooks
from durably_cli.engines.dbos.log import DatabaseLog, Record
from durably_cli.engines.dbos.resumes import (
    AskedAttempt,
    begin_attempt,
    longest_of_attempt,
    note_suspended,
    pass_on,
    wake,
)
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.decisions import NO_DECISIONS, decided, refuse_secrets_in
from durably_cli.engines.execute import execute_in_turn
from durably_cli.engines.live_run import BoundHandler, LiveRun
from durably_cli.engines.observer import Runnable
from durably_cli.engines.on_failure import call_on_failure
from durably_cli.engines.past import gather, past_of, to_go_on_with
from durably_cli.engines.unseen import Unseen
from durably_cli.engines.who import host
from durably_cli.errors import (
    AttemptTimedOut,
    DurablyError,
    Interrupted,
    JournalLost,
    Suspended,
)
from durably_cli.journal.events import RunCancelled, RunHasFailed, RunStarted
from durably_cli.journal.failures import describe
from durably_cli.journal.fold import fold
from durably_cli.journal.state import Status
from durably_cli.system import clock, ids
from durably_cli.version import __version__

_ASYNCHRONOUS = "-c synchronous_commit=off"
"""What is written beside DBOS's steps need not be durable; the next step makes it so."""

_PASSED_ON_SECONDS, _NOBODY_SECONDS = 0.0, 30.0
"""After so many seconds a worker may be asked again that has not the job of a run: if another one
has it, and if none has."""

Skip = Callable[[int], object]
"""Moves DBOS's counter behind the steps that a run has already."""


class Attempting:
    """Attempts runs, each in a thread of DBOS, until it is drained.

    `look_now` has the worker look at once for runs that are to go on.
    """

    def __init__(
        self,
        url: str,
        project: str,
        jobs: Mapping[str, Runnable],
        slots: int,
        look_now: Callable[[], object],
        say: Callable[[str], object],
        hooks: Hooks,
    ) -> None:
        self._hooks = hooks
        self._url, self._project, self._jobs = url, project, jobs
        self._slots, self._look_now, self._say = slots, look_now, say
        self._changing = threading.Condition()
        self._live = dict[str, LiveRun]()
        self.is_draining = False

    def attempt(self, run_id: str, owner: str, record: Record, skip: Skip) -> bool:
        """Execute the run from where it was; has it completed? JournalLost if others have it."""
        database = RunDatabase(self._url, self._project, patient=True, options=_ASYNCHRONOUS)
        try:
            return self._attempted_here(database, run_id, owner, record, skip)
        finally:
            database.close()

    def _attempted_here(
        self, database: RunDatabase, run_id: str, owner: str, record: Record, skip: Skip
    ) -> bool:
        view = DatabaseView(database, run_id)
        has_completed = False
        try:
            if self._is_cancelled_here(database, view, owner, record, skip):
                pass
            elif self._can_execute(view):
                has_completed = self._attempt(database, view, owner, record, skip)
            else:
                others = workers_that_have(database, view.state.created.job)
                pass_on(database, run_id, _PASSED_ON_SECONDS if others else _NOBODY_SECONDS)
                self._look_now()
                return False
        except Suspended as suspended:
            if note_suspended(database, run_id, suspended.until):
                self._look_now()
            self._hooks.ended(run_id)
            return False
        except (AttemptTimedOut, KeyboardInterrupt):  # one of the job's own; its events say so
            pass
        except JournalLost:
            raise
        except Exception:
            self._wake_parent(database, view)
            raise
        self._hooks.ended(run_id)
        self._wake_parent(database, view)
        return has_completed

    def _wake_parent(self, database: RunDatabase, view: DatabaseView) -> None:
        if parent := view.state.created.parent:
            wake(database, parent)
            self._look_now()

    def _can_execute(self, view: DatabaseView) -> bool:
        """Has this worker its job, and does it know all that its events say?"""
        return view.state.created.job in self._jobs and not view.state.unknown

    def _attempt(
        self, database: RunDatabase, view: DatabaseView, owner: str, record: Record, skip: Skip
    ) -> bool:
        run_id = view.run_id
        asked, tried = begin_attempt(database, run_id), set[str]()
        while True:
            again = asked.get(len(view.state.attempts) + 1)
            if view.state.is_final or (again is None and not tried and self._is_left(view)):
                return view.state.status is Status.COMPLETED
            skip(_steps_of(database, run_id))
            log = DatabaseLog(database, run_id, len(view.state.attempts) + 1, owner, record)
            held = HeldRun(database, run_id, log)
            decisions = again.decisions if again else NO_DECISIONS
            run = self._attempted(
                view, held, AskedAttempt(decisions, longest_of_attempt(log.attempt, asked))
            )
            if run is None:
                return False
            due = due_at_once(run, held.look)
            if not due or not tried.isdisjoint(due):
                call_on_failure(run)
                return held.look().state.status is Status.COMPLETED
            tried |= due
            view = DatabaseView(database, run_id)

    def _is_left(self, view: DatabaseView) -> bool:
        """Is it left as it is, for nobody has asked for another attempt?"""
        if not view.state.has_ended and view.is_given_up:
            run = ids.short(view.run_id)
            self._say(f"run {run} was killed {view.killed_in_vain} times without getting further")
            return True
        return view.state.has_ended or view.state.is_out_of_time

    def _is_cancelled_here(
        self, database: RunDatabase, view: DatabaseView, owner: str, record: Record, skip: Skip
    ) -> bool:
        """Has it ended the run for good, for somebody wants that? Nobody needs its job for it."""
        request = view.cancel_request()
        if request is None or view.state.has_ended:
            return False
        begin_attempt(database, view.run_id)
        skip(_steps_of(database, view.run_id))
        number = len(view.state.attempts) + 1
        held = HeldRun(
            database, view.run_id, DatabaseLog(database, view.run_id, number, owner, record)
        )
        held.log.end_with(RunCancelled(clock.now(), request.reason, request.by))
        held.cancel_children(view.state.open_children, request.reason)
        return True

    def owns(self, run_id: str, owner: str) -> bool:
        """Is it still this worker's, as far as the database tells? Yes, if it does not."""
        database = RunDatabase(self._url, self._project)
        try:
            row = database.row(
                "select 1 from dbos.workflow_status"
                " where (workflow_uuid, owner_xid, status) = (%s, %s, 'PENDING')",
                *(run_id, owner),
            )
        except DurablyError:
            return True
        finally:
            database.close()
        return row is not None

    def has(self, run_id: str) -> bool:
        """Is it in the middle of this run?"""
        return run_id in self._live

    def drain(self, seconds: float | None) -> list[str]:
        """Stop those that run where they may be stopped; those that have not within that time."""
        with self._changing:
            self.is_draining = True
            for run in self._live.values():
                run.stop.stop(Interrupted(signal.SIGTERM))
            self._changing.wait_for(lambda: not self._live, seconds)
            return [*self._live]

    def _attempted(self, view: DatabaseView, held: HeldRun, asked: AskedAttempt) -> LiveRun | None:
        """The run, executed; None if it cannot be, and has failed by that."""
        past = past_of(view)
        state = fold(gather(view.events(), past, view))
        try:
            events = decided(asked.decisions, state, past)
            past = to_go_on_with(state, past, events)
            work = self._jobs[state.created.job].work(view.input())
            refuse_secrets_in(events, work.secrets)
            if asked.seconds is not None:
                work = work._replace(timeout=asked.seconds)
        except DurablyError as error:
            self._say(f"run {ids.short(view.run_id)} cannot go on: {error.what}")
            _fail(held, error, len(state.attempts) + 1)
            return None
        run = LiveRun(held, state, past, secrets=work.secrets, decisions=events, unread=work.unread)
        run.stop.suspends = run.stop.finishes_steps = True
        self._execute(run, work)
        return run

    def _execute(self, run: LiveRun, work: BoundHandler) -> None:
        with self._changing:
            while len(self._live) >= self._slots:  # two queues have filled the last one at once
                self._changing.wait()
            self._wait_if_draining()
            self._live[run.run_id] = run
        try:
            self._hooks.begins(run)
            execute_in_turn(run, work, Unseen(suspends=True), lambda: None)
        except Interrupted:
            pass
        finally:
            with self._changing:
                del self._live[run.run_id]
                self._changing.notify_all()
                self._wait_if_draining()

    def _wait_if_draining(self) -> None:
        """To return would tell DBOS that the run has ended: it is left to another worker."""
        while self.is_draining:
            self._changing.wait()


def _fail(held: HeldRun, error: DurablyError, attempt: int) -> None:
    """Journal an attempt that has failed before its handler was called."""
    versions = {"durably": __version__}
    held.log.append(RunStarted(attempt, os.getpid(), host(), clock.now(), versions=versions))
    held.log.end_with(RunHasFailed(describe(error), clock.now()))


def _steps_of(database: RunDatabase, run_id: str) -> int:
    row = database.row(
        "select coalesce(max(function_id), 0) from dbos.operation_outputs where workflow_uuid = %s",
        run_id,
    )
    return int(row[0]) if row else 0
