"""Child runs on workers: each is queued as any other, and its parent is suspended meanwhile.

So a parent holds neither a thread nor a slot that its child may need. A child that has ended wakes
its parent. It goes on by itself while its parent does not: only a cancel ends both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from durably_cli.engines.child_runs import check_is_same, made_as, output_of
from durably_cli.engines.dbos.cancel import cancel_if_open
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.enqueue import enqueue_run
from durably_cli.engines.dbos.resumes import NOTHING, ask_again
from durably_cli.engines.dbos.row import read_row
from durably_cli.engines.dbos.runs import DatabaseRuns
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.live_run import LiveRun
from durably_cli.errors import RunFailed, TimedOut
from durably_cli.journal.fold_waits import SUSPENDED
from durably_cli.journal.state import KILLED, RunState
from durably_cli.steps.child_run import Child, refuse_too_deep
from durably_cli.steps.stop import NO_TIME
from durably_cli.system import clock, ids

if TYPE_CHECKING:
    from durably_cli.steps.step import Step
    from durably_cli.values.strict_json import Json

_LOOKS_SECONDS = 0.1


class QueuedChildren:
    """Has the children of a run executed, each as the step that a thread of it is in."""

    def __init__(self, database: RunDatabase, parent: LiveRun, step: Step) -> None:
        self._database, self._parent, self._step = database, parent, step
        self._began = _try_began(parent.state)

    def __call__(self, child: Child) -> Json:
        """Wait until this one has ended; its output. RunFailed if it has none."""
        stop = self._parent.stop
        stop.check()
        self._refuse_too_deep(child)
        self._make(child)
        with self._step._scope.idle.step(child.step, lambda: NO_TIME):
            while (view := self._over(child)) is None:
                stop.suspend_if_all_wait()
                stop.check()
                time.sleep(_LOOKS_SECONDS)
        if view.state.has_ended:
            return output_of(child, view)
        run = ids.short(child.run)
        if view.state.is_out_of_time:
            raise TimedOut(f"run {run} was ended: its time limit was over")
        raise RunFailed(f"run {run} of {child.job.name} has stopped before its end", run=child.run)

    def _over(self, child: Child) -> DatabaseView | None:
        """The run, if nobody goes on with it, now that it is asked for again if it is to be."""
        row = read_row(self._database, child.run)
        if row is not None and not row.is_over:
            return None
        view = DatabaseView(self._database, child.run)
        if view.state.is_waiting or not view.row.is_over or self._is_asked_again(view):
            return None
        return view

    def _make(self, child: Child) -> None:
        """The run of the child, unless it is there: then it is to be one of the same job."""
        runs, runnable = DatabaseRuns(self._database), child.job.runnable
        there = runs.created(child.run)
        if there is not None:
            check_is_same(child, runnable, there, lambda: there.input, self._step.emit)
            return
        if child.before is not None:
            cancel_if_open(self._database, child.before, f"step {child.step} is redone")
        settled = runnable.settle(child.input, is_compared=False)
        enqueue_run(self._database, made_as(child, self._parent.state.created, settled.input))

    def _is_asked_again(self, view: DatabaseView) -> bool:
        """Has it failed before this try of its parent, so that it is to be tried again, too?"""
        state = view.state
        if state.is_final or not state.attempts:
            return False
        if (state.ended or state.attempts[-1].last) >= self._began:
            return False
        ask_again(self._database, view, NOTHING)
        return True

    def _refuse_too_deep(self, child: Child) -> None:
        refuse_too_deep(child.step, (*self._jobs_above(), child.job.name))

    def _jobs_above(self) -> list[str]:
        """The jobs of its parent and of the runs above that, the uppermost first."""
        runs, created = DatabaseRuns(self._database), self._parent.state.created
        jobs, seen = [created.job], {created.run}
        while created.parent and created.parent not in seen:
            above = runs.created(created.parent)
            if above is None:
                break
            created = above
            seen.add(created.run)
            jobs.insert(0, created.job)
        return jobs


def _try_began(state: RunState) -> str:
    """When the try began that the next attempt goes on with, if that was suspended or killed."""
    began = clock.now()
    for attempt in reversed(state.attempts):
        if attempt.outcome not in (SUSPENDED, *KILLED):
            break
        began = attempt.started.at
    return began
