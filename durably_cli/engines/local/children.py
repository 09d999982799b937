"""Child runs: runs that are a step of another one, their parent.

The id of a child follows from its parent's and the step's name: so it is made once, and taken up
again by every attempt of its parent. It has no concurrency key, and so it never waits for a turn.
It ends with its parent's attempt, whatever thread it is in: see `Stop`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from durably_cli.engines.local.attempt import Runnable, attempted, first_attempted
from durably_cli.engines.local.cancel import cancel_children
from durably_cli.engines.local.live_run import LiveRun, Watcher
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.unseen import Unseen
from durably_cli.engines.local.view import whole_input
from durably_cli.engines.local.who import host
from durably_cli.errors import (
    AttemptTimedOut,
    Busy,
    InvalidInput,
    RunFailed,
    StepMisused,
    TimedOut,
)
from durably_cli.journal.events import FORMAT, LogWritten, RunCreated, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status, ended_as
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.steps.child_run import Child, refuse_too_deep
from durably_cli.steps.step import Step
from durably_cli.system import clock, ids
from durably_cli.system.locks import Lock
from durably_cli.values.strict_json import Json

_LOOKS_SECONDS = 0.2


class Children:
    """Executes the children of a run, in the threads of its steps."""

    def __init__(self, parent: LiveRun, step: Step, watcher: Watcher) -> None:
        self._parent, self._step, self._watcher = parent, step, watcher
        self._store = Store.of(parent.journal.path)

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
            output = view.output()
            if view.status is Status.COMPLETED and output is not None:
                return output
            self._parent.stop.check()
            error = view.state.error
            if error and observer.run and observer.run.too_deep == error.message:
                self._parent.too_deep = error.message  # said once, not by each run in between
                raise StepMisused(error.message)
            said = f": {error.type}: {error.message}" if error else ""
            what = f"run {ids.short(child.run)} of {child.job.name} {ended_as(view.status)}{said}"
            raise RunFailed(what, run=child.run)

    def _execute(self, child: Child, observer: Unseen) -> None:
        runnable: Runnable = child.job.runnable
        path = self._store.path_of(child.run)
        if not os.path.lexists(path):
            if child.before is not None:
                cancel_children(self._store, [child.before], f"step {child.step} is redone")
            settled = runnable.settle(child.input, is_compared=False)
            created = self._created(child, settled.input)
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
        """StepMisused if the run is one of another job; another input is only said."""
        there = self._store.created(child.run)
        if there is None:  # damaged, as will be said
            return
        again = f"restore that, or give --redo {child.step!r} to the resume"
        if there.job != child.job.name:
            raise StepMisused(
                f"step {child.step!r} was begun as run {ids.short(child.run)} of job {there.job}, "
                f"and is to be one of {child.job.name} now; {again}"
            )
        input = whole_input(self._store.path_of(child.run), there)
        with suppress(InvalidInput):  # as will be said
            before, now = (runnable.settle(each, is_compared=True) for each in (input, child.input))
            if before.canonical != now.canonical:
                text = (
                    f"step {child.step!r} goes on with the input that its run "
                    f"{ids.short(child.run)} was made with; it is given another one now: {again}"
                )
                self._step.emit(LogWritten("warn", text, clock.now()))

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
