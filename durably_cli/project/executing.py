"""Runs that Python code brings about, or takes up, in its own process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from durably_cli import hints
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.runs import find_run
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import Load
from durably_cli.engines.observer import Observer
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.engines.unseen import Unseen
from durably_cli.errors import AttemptTimedOut, Suspended, TimedOut, UsageError
from durably_cli.project import places, stores
from durably_cli.project.engine import engine_name
from durably_cli.project.handlers import refuse_running_loop
from durably_cli.project.listening_job import ListeningJob
from durably_cli.project.run import Run
from durably_cli.project.settings import LOCAL, engine_settings
from durably_cli.system import ids

if TYPE_CHECKING:
    from durably_cli.project.job import Job

O = TypeVar("O")  # noqa: E741

Act = Callable[[Store, Load, Observer], TriggerResult]
"""Brings about or takes up a run, in the store of its project."""


def brought_about(job: Job[Any, O], prepared: Callable[[Path], Act], *, suspends: bool) -> Run[O]:
    """What came of a run of this job, whose act is `prepared` before anything is written.

    One that may be suspended is then `waiting`. TimedOut if its attempt has taken too long.
    """
    if job.is_async:
        refuse_running_loop(job.name)
    project = places.project_of_file(job.source)
    if engine_name(engine_settings(project)) != LOCAL:
        raise UsageError(
            f"Python code executes runs of {job.name} itself, and its project's engine is dbos",
            hint=f"{hints.command('trigger', job.name)}    (has a worker execute it)",
        )
    with stores.hints_in(project):
        act = prepared(project)
        store = stores.open_store(project, to_write=True)
        listens = ListeningJob(job, project, all_threads=False)
        seen = Unseen(suspends=suspends)
        try:
            ended = act(store, lambda _: listens, seen)
        except AttemptTimedOut as over:  # an ordinary failure of who calls
            raise TimedOut(f"a run of {job.name} was ended: {over.what}") from None
        except Suspended as suspended:
            if seen.run is None or suspended is not seen.run.stop.cause:
                raise  # of the run whose handler calls this
            ended = TriggerResult(seen.run.run_id, Disposition.CREATED, executed=True)
        with ended.view(store.view) as view:
            return Run(job, view, ended.disposition)


def resume_of(job: str, run: str) -> Callable[[Path], Act]:
    """Takes up a run of this job, by what commands take for it. UsageError if it is of another."""

    def act(store: Store, load: Load, seen: Observer) -> TriggerResult:
        run_id = find_run(store, run)
        created = store.created(run_id)
        if created is not None and created.job != job:
            raise UsageError(f"run {ids.short(run_id)} is one of {created.job}, not of {job}")
        return resume(store, run_id, load, seen)

    return lambda _: act
