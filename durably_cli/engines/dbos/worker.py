"""A worker: DBOS hands it runs, keeps their durable events as steps, and fences who lost one.

A workflow is one run. Its function is called again for each attempt, and finds its past in what was
recorded; DBOS's counter of steps is moved behind that. The events of an attempt are its steps, so
that DBOS refuses the first one that a worker records which has lost the run to another one.

Of DBOS it uses some private names: the context, for the owner's token and the counter; the
recovery of another executor's runs, and of a single one; the instance that these take; and its
count of what is executed, which is to be of both queues.
"""

from __future__ import annotations

import contextvars
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dbos import DBOS, DBOSClient
from dbos._context import get_local_dbos_context
from dbos._dbos import _get_dbos_instance
from dbos._error import (
    DBOSStepNondeterminismError,
    DBOSUnexpectedStepError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
)
from dbos._recovery import recover_pending_workflows
from dbos._serialization import DBOSPortableJSONSerializer
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from durably_cli.engines.dbos.attempting import Attempting
from durably_cli.engines.dbos.database import PAUSES, RunDatabase
from durably_cli.engines.dbos.hooks import Hooks
from durably_cli.engines.dbos.liveness import Liveness, RunsOfDbos
from durably_cli.engines.dbos.queues import WORKFLOW, application, queues_of, system_url
from durably_cli.errors import JournalLost, Unreachable, ValueRefused
from durably_cli.steps.child import ChildEnds
from durably_cli.version import __version__

if TYPE_CHECKING:
    from durably_cli.engines.observer import Runnable

_OTHERS = (
    DBOSStepNondeterminismError,
    DBOSUnexpectedStepError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
)
"""What DBOS raises where another worker owns the run, or another one's step stands in its place."""

_POLL_SECONDS = 0.35, 0.5
"""How often DBOS looks into each queue, which takes two transactions."""

_OF_VALUES = ("22", "54")
"""How the codes of errors begin that PostgreSQL has for values: no such data, and too large."""

_MOST_SLOTS = 1_000

_BEHIND_ALL = 2**31 - 1
"""The number of a step that no run has: to go on from there drops none."""

_VERSION = "1"
"""For DBOS each worker of a project has the same code, by a version of that project's own: which
code a run was tried with is in its events."""


class NotCompleted(Exception):
    """The run has not completed; its events say how it ended, or what it waits for."""


class Worker:
    """Executes runs of a project, so many at once, until `drain` has come to its end."""

    def __init__(
        self,
        url: str,
        project: str,
        jobs: Mapping[str, Runnable],
        slots: int,
        say: Callable[[str], object],
        hooks: Hooks,
    ) -> None:
        self.executor = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._url, self._project, self._jobs = url, project, jobs
        self._slots, self._say = slots, say
        self._liveness = Liveness(
            RunDatabase(url, project),
            self.executor,
            RunsOfDbos(self._recover, self._wake, self._is_unheard_of, self._give_back),
            say,
            hooks,
        )
        self._attempting = Attempting(
            url, project, jobs, slots, self._liveness.look_now, say, hooks
        )

    def start(self) -> None:
        """Be there, and take up runs from now on, in threads."""
        self._liveness.begin(list(self._jobs), self._slots, __version__)
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        DBOS(
            config={
                "name": application(self._project),
                "system_database_url": system_url(self._url),
                "executor_id": self.executor,
                "application_version": f"{application(self._project)}-{_VERSION}",
                "serializer": DBOSPortableJSONSerializer(),
                "run_migrations": False,
                "log_level": "CRITICAL",
                "sys_db_pool_size": self._slots + 4,
                # A ping before each use would double what is asked: what fails is tried again.
                "db_engine_kwargs": {"pool_pre_ping": False},
                "max_executor_threads": 2 * self._slots + 16,
            }
        )

        def execute(run_id: str) -> None:
            self._execute(run_id)

        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(execute)
        DBOS.listen_queues([*queues_of(self._project)])
        self._client = DBOSClient(
            system_database_url=system_url(self._url), serializer=DBOSPortableJSONSerializer()
        )
        self._share_slots()
        DBOS.launch()
        for queue, at_once, seconds in zip(
            queues_of(self._project), (None, 1), _POLL_SECONDS, strict=True
        ):
            DBOS.register_queue(
                queue,
                worker_concurrency=_MOST_SLOTS,
                partition_concurrency=at_once,
                polling_interval_sec=seconds,
                on_conflict="always_update",
            )
        threading.Thread(target=self._liveness.watch, daemon=True).start()

    def _share_slots(self) -> None:
        """Have each queue count what is executed of both, and whatever other workers have.

        What a queue allows is a row that all workers read: so that is more than any has, and this
        one is busy but for the slots that it has free.
        """
        self._active = _get_dbos_instance()._active_workflows_set

        def taken(_: str) -> int:
            free = self._slots - len(self._active.activeList())
            return _MOST_SLOTS - (0 if self._attempting.is_draining else max(0, free))

        self._active.count_for_queue = taken  # type: ignore[method-assign, assignment]

    def drain(self, seconds: float | None) -> list[str]:
        """Begin no attempt any more, and wait until those that run have stopped where they may.

        The runs that have not, within so many seconds.
        """
        return self._attempting.drain(seconds)

    def leave(self) -> None:
        """Let others know at once that this worker is gone."""
        self._liveness.end()

    def _execute(self, run_id: str) -> None:
        context = get_local_dbos_context()
        assert context is not None
        owner = context.owner_xid or ""
        inside = contextvars.copy_context()  # whatever thread records, it is this workflow's step

        def record(name: str, output: str) -> str:
            place = context.function_id
            for pause in (*PAUSES, None):
                try:
                    return inside.run(lambda: DBOS.run_step({"name": name}, lambda: output))
                except _OTHERS as other:
                    raise JournalLost(f"the run was taken over, or cancelled: {other}") from None
                except DBAPIError as error:
                    state = getattr(error.orig, "sqlstate", None) or ""
                    if state.startswith(_OF_VALUES):  # this one will never do
                        raise ValueRefused(
                            "$", f"the database does not take it: {error.orig}"
                        ) from None
                    if pause is None or not isinstance(error, (OperationalError, InterfaceError)):
                        raise JournalLost(f"the run could not be written: {error.orig}") from None
                    time.sleep(pause)
                    context.function_id = place  # what was committed unheard is found there
            raise AssertionError

        def skip(steps: int) -> None:
            context.function_id = steps

        try:
            completed = self._attempting.attempt(run_id, owner, record, skip)
        except (JournalLost, Unreachable) as lost:
            if self._attempting.owns(run_id, owner):  # nobody else takes it from a live worker
                self._say(f"{lost}; this worker ends")
                os._exit(JournalLost.exit_code)
            raise DBOSWorkflowConflictIDError(run_id) from None
        except ChildEnds as ends:  # a process that a handler has forked
            os._exit(ends.code if isinstance(ends.code, int) else 1)
        except Exception as error:
            self._say(f"run {run_id} cannot be executed: {error!r}")
            raise
        if not completed:
            raise NotCompleted(run_id)

    def _recover(self, executor: str) -> None:
        """Have the runs of a dead worker taken up by any other one."""
        recover_pending_workflows(_get_dbos_instance(), [executor])

    def _wake(self, run_id: str, queue: str, key: str | None) -> None:
        """Have a run that has ended, or is suspended, attempted once more; nothing is dropped."""
        self._client.rewind_workflow(
            run_id, start_step=_BEHIND_ALL, queue_name=queue, queue_partition_key=key
        )

    def _is_unheard_of(self, run_id: str) -> bool:
        """Has the database given it this run, and it does not know?"""
        return run_id not in self._active.activeList() and not self._attempting.has(run_id)

    def _give_back(self, run_id: str) -> None:
        """Have a run taken up that this worker was given, and has never heard of."""
        _get_dbos_instance()._sys_db.reenqueue_for_recovery(
            run_id, [self.executor], queues_of(self._project)[0]
        )
