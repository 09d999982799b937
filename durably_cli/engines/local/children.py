"""Child runs: runs that are a step of another one, their parent.

The id of a child follows from its parent's and the step's name: so it is made once, and taken up
again by every attempt of its parent. It has no concurrency key, and so it never waits for a turn.
"""

from __future__ import annotations

import os
import time

from durably_cli.engines.local.attempt import Runnable, attempted, first_attempted
from durably_cli.engines.local.cancel import cancel_children
from durably_cli.engines.local.live_run import LiveRun
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.unseen import Unseen
from durably_cli.engines.local.who import host
from durably_cli.errors import (
    AttemptTimedOut,
    Busy,
    Cancelled,
    RunFailed,
    Suspended,
    TimedOut,
)
from durably_cli.journal.events import FORMAT, RunCreated
from durably_cli.journal.state import Status
from durably_cli.steps.child_run import Child
from durably_cli.steps.step import Step
from durably_cli.system import clock, ids
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json

_LOOKS_SECONDS = 0.2


class Children:
    """Executes the children of a run, in the threads of its steps."""

    def __init__(self, parent: LiveRun, step: Step) -> None:
        self._parent, self._step = parent, step
        self._store = Store(parent.journal.path.parents[2])

    def __call__(self, child: Child) -> Json:
        """Bring this one to its end; its output. RunFailed if it has none.

        If all that is left of it waits, and the parent may be suspended, both are.
        """
        try:
            self._execute(child)
        except Suspended as suspended:
            self._parent.stop.suspend(suspended.until)
        except AttemptTimedOut as over:  # an ordinary failure of the parent's step
            raise TimedOut(f"run {ids.short(child.run)} was ended: {over.what}") from None
        except BaseException:
            cause = self._parent.stop.cause
            if isinstance(cause, Cancelled):
                cancel_children(self._store, [child.run], cause.reason)
            raise
        with self._store.view(child.run) as view:
            output = view.output()
            if view.status is Status.COMPLETED and output is not None:
                return output
            error = view.state.error
            said = f": {error.type}: {error.message}" if error else ""
            what = f"run {ids.short(child.run)} of {child.job.name} has {view.status}{said}"
            raise RunFailed(what, run=child.run)

    def _execute(self, child: Child) -> None:
        observer = _Beside(self._parent, self._step)
        runnable: Runnable = child.job.runnable
        path = self._store.path_of(child.run)
        if not os.path.lexists(path):
            settled = runnable.settle(child.input, is_compared=False)
            created = self._created(child, settled.input)
            journal = self._store.create(created)
            if journal is not None:
                work = runnable.work(settled.input)
                first_attempted(self._store, journal, [created], work, observer)
                return
        attempted(self._store, path, self._lock_of(child), lambda _: runnable, observer, again=True)

    def _lock_of(self, child: Child) -> Lock:
        """That of the run, which another process may execute: it is waited for."""
        while True:
            try:
                return self._store.hold(child.run, seconds=0)
            except Busy:
                self._parent.stop.check()
                time.sleep(_LOOKS_SECONDS)

    def _created(self, child: Child, settled: Json) -> RunCreated:
        parent = self._parent.state.created
        return RunCreated(
            format=FORMAT,
            run=child.run,
            job=child.job.name,
            input=settled,
            at=clock.now(),
            labels=child.labels,
            project=parent.project,
            pid=os.getpid(),
            host=host(),
            folder=parent.folder,
            parent=parent.run,
        )


class _Beside(Unseen):
    """Lets a child wait as its parent may."""

    def __init__(self, parent: LiveRun, step: Step) -> None:
        self._parent, self._step = parent, step

    def owns(self, run: LiveRun) -> None:
        """The child waits, and is suspended, with the parent, if that does nothing else."""
        run.stop.waiting = self._parent.stop.waiting
        is_only_one = self._step.only_one_running() is not None
        run.stop.suspends = self._parent.stop.suspends and is_only_one


def cancel_all_of(parent: LiveRun, cancelled: Cancelled) -> None:
    """End the runs for good that earlier attempts of this one have begun."""
    store = Store(parent.journal.path.parents[2])
    cancel_children(store, parent.state.children.values(), cancelled.reason)
