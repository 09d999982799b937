"""Child runs: what every engine does alike for a run that is a step of another one.

The id of a child follows from its parent's and the step's name: so it is made once, and taken up
again by every attempt of its parent. It has no concurrency key, and so it never waits for a turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from durably_cli.engines.observer import Runnable
from durably_cli.engines.run_view import RunView
from durably_cli.engines.who import host
from durably_cli.errors import InvalidInput, RunFailed, StepMisused
from durably_cli.journal.events import FORMAT, LogWritten, RunCreated
from durably_cli.journal.state import Status, ended_as
from durably_cli.steps.child_run import Child
from durably_cli.system import clock, ids
from durably_cli.values.strict_json import Json


def made_as(child: Child, parent: RunCreated, settled: Json) -> RunCreated:
    """What the run of a child is made as, with this input."""
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


def check_is_same(
    child: Child,
    runnable: Runnable,
    there: RunCreated,
    input: Callable[[], Json],
    emit: Callable[[LogWritten], object],
) -> None:
    """StepMisused if the run that is there is one of another job; another input is only said."""
    again = f"restore that, or give --redo {child.step!r} to the resume"
    if there.job != child.job.name:
        raise StepMisused(
            f"step {child.step!r} was begun as run {ids.short(child.run)} of job {there.job}, "
            f"and is to be one of {child.job.name} now; {again}"
        )
    given = input()
    with suppress(InvalidInput):  # as will be said
        before, now = (runnable.settle(each, is_compared=True) for each in (given, child.input))
        if before.canonical != now.canonical:
            text = (
                f"step {child.step!r} goes on with the input that its run "
                f"{ids.short(child.run)} was made with; it is given another one now: {again}"
            )
            emit(LogWritten("warn", text, clock.now()))


def output_of(child: Child, view: RunView) -> Json:
    """The output of a child that has ended. RunFailed if it has none."""
    output = view.output()
    if view.status is Status.COMPLETED and output is not None:
        return output
    error = view.state.error
    said = f": {error.type}: {error.message}" if error else ""
    what = f"run {ids.short(child.run)} of {child.job.name} {ended_as(view.status)}{said}"
    raise RunFailed(what, run=child.run)
