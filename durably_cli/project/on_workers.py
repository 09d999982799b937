"""Runs that Python code brings about, and that workers execute: it waits for their ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from durably_cli.engines.request import Disposition
from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.errors import TimedOut, UsageError
from durably_cli.project.run import Run
from durably_cli.steps.current import is_executing

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.project.job import Job

O = TypeVar("O")  # noqa: E741


def awaited_run(
    job: Job[Any, O],
    engine: DbosEngine,
    act: Callable[[], tuple[str, Disposition]],
    suspends: bool,
) -> Run[O]:
    """What came of the run that the act brings about, or what it waits for, if it may be suspended.

    TimedOut if its attempt has taken too long. UsageError in a worker: the run would wait for the
    slot of the one that waits for it.
    """
    if is_executing():
        raise UsageError(
            f"a run triggers another one, of {job.name}, and waits for it: in a worker that takes "
            "its own slot; let it be a step of the run: step.run_job"
        )
    run_id, disposition = act()
    view: RunView = engine.runs.view(run_id)
    if disposition is not Disposition.COALESCED:
        view = _ended(engine, run_id, suspends)
    if view.state.is_out_of_time:
        raise TimedOut(f"a run of {job.name} was ended: its time limit is over")
    return Run(job, view, disposition)


def _ended(engine: DbosEngine, run_id: str, suspends: bool) -> RunView:
    if suspends:
        for pause in engine.runs.pauses():
            if engine.runs.row(run_id).is_over:
                return engine.runs.view(run_id)
            pause(False)
    found = engine.runs.at_its_end(run_id, math.inf, lambda _: None)
    if isinstance(found, Unreadable):
        raise found.error
    return found
