"""Child runs that are executed in their parent's process, in the threads of its steps.

Such a run ends with its parent's attempt, whatever thread it is in: see `Stop`.
"""

from __future__ import annotations

import os
import time

from durably_cli.engines.child_runs import check_is_same, made_as, output_of
from durably_cli.engines.live_run import LiveRun, Watcher
from durably_cli.engines.local.attempt import attempted, first_attempted
from durably_cli.engines.local.cancel import cancel_children
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import whole_input
from durably_cli.engines.observer import Runnable
from durably_cli.engines.unseen import Unseen
from durably_cli.errors import (
    AttemptTimedOut,
    Busy,
    StepMisused,
    TimedOut,
)
from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.steps.child_run import Child, refuse_too_deep
from durably_cli.steps.step import Step
from durably_cli.system import ids
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json

_LOOKS_SECONDS = 0.2


class Children:
    """Executes the children of a run, in the threads of its steps."""

    def __init__(self, store: Store, parent: LiveRun, step: Step, watcher: Watcher) -> None:
        self._parent, self._step, self._watcher = parent, step, watcher
        self._store = store

    def __call__(self, child: Child) -> Json:
        """Bring this one to its end; its output. RunFailed if it has none."""
        stop = self._parent.stop
        stop.check()
        self._refuse_too_deep(child)
        observer = _Inside(self._parent, child.step, self._watcher)
        try:
            with self._step._scope.idle.step(child.step, observer.waits_until):
                self._execute(child, observer)
        except AttemptTimedOut as over:  # an ordinary failure of the parent's step
            stop.check()
            raise TimedOut(f"run {ids.short(child.run)} was ended: {over.what}") from None
        except BaseException:
            stop.check()
            raise
        finally:
            stop.inner.pop(child.step, None)
        return self._output_of(child, observer)

    def _refuse_too_deep(self, child: Child) -> None:
        try:
            refuse_too_deep(child.step, (*self._parent.jobs, child.job.name))
        except StepMisused as refused:
            self._parent.too_deep = str(refused)
            raise

    def _output_of(self, child: Child, observer: Unseen) -> Json:
        with self._store.view(child.run) as view:
            if view.status is not Status.COMPLETED:
                self._parent.stop.check()
                error = view.state.error
                if error and observer.run and observer.run.too_deep == error.message:
                    self._parent.too_deep = error.message  # said once, not by each run in between
                    raise StepMisused(error.message)
            return output_of(child, view)

    def _execute(self, child: Child, observer: Unseen) -> None:
        runnable: Runnable = child.job.runnable
        path = self._store.path_of(child.run)
        if not os.path.lexists(path):
            if child.before is not None:
                cancel_children(self._store, [child.before], f"step {child.step} is redone")
            settled = runnable.settle(child.input, is_compared=False)
            created = made_as(child, self._parent.state.created, settled.input)
            journal = self._store.create(created)
            if journal is not None:
                work = runnable.work(settled.input)
                first_attempted(self._store, journal, [created], work, observer)
                return
        lock = self._lock_of(child)
        try:
            self._check_is_same(child, runnable)
        except BaseException:
            lock.close()
            raise
        attempted(self._store, path, lock, lambda _: runnable, observer, again=True)

    def _check_is_same(self, child: Child, runnable: Runnable) -> None:
        there = self._store.created(child.run)
        if there is None:  # damaged, as will be said
            return
        path = self._store.path_of(child.run)
        check_is_same(child, runnable, there, lambda: whole_input(path, there), self._step.emit)

    def _lock_of(self, child: Child) -> Lock:
        """That of the run, which another process may execute: it is waited for."""
        while True:
            try:
                return self._store.hold(child.run, seconds=0)
            except Busy:
                self._parent.stop.check()
                time.sleep(_LOOKS_SECONDS)


class _Inside(Unseen):
    """Lets a child end, and wait, with its parent, of which it is this step.

    Who sees the parent sees what the child waits for.
    """

    def __init__(self, parent: LiveRun, step: str, watcher: Watcher) -> None:
        super().__init__()
        self._parent, self._step, self._watcher = parent, step, watcher

    def recorded(self, event: Event) -> None:
        """What it waits for from now on, and what it has waited for before."""
        if self.run is not None and isinstance(event, RunStarted):
            self._watcher.child_waits(self._step, self.run, None)
        elif self.run is not None and isinstance(event, StepWaiting):
            self._watcher.child_waits(self._step, self.run, event)

    def child_waits(self, child: str, run: LiveRun, event: StepWaiting | None) -> None:
        """The same of a child of its own."""
        self._watcher.child_waits(child, run, event)

    def owns(self, run: LiveRun) -> None:
        """From now on the child ends when its parent does."""
        super().owns(run)
        run.jobs = (*self._parent.jobs, *run.jobs)
        self._parent.stop.begin_inner(self._step, run.stop)

    def waits_until(self) -> str | None:
        """When the first wait of the child is over, if it does nothing else."""
        return None if self.run is None else self.run.stop.waits_until()
