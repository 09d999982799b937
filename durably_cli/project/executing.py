"""Runs that Python code brings about, or takes up, in its own process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from durably_cli.engines.decisions import NO_DECISIONS
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.runs import LocalRuns
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import Load
from durably_cli.engines.observer import Observer, Runnable
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.engines.unseen import Unseen
from durably_cli.errors import AttemptTimedOut, Suspended, TimedOut, UsageError
from durably_cli.project import places, stores
from durably_cli.project.engine import engine_of_workers
from durably_cli.project.handlers import refuse_running_loop
from durably_cli.project.listening_job import ListeningJob
from durably_cli.project.run import Run
from durably_cli.system import ids

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.engines.runs import Runs
    from durably_cli.project.job import Job

O = TypeVar("O")  # noqa: E741


class Act(NamedTuple):
    """Brings about or takes up a run: in the store of its project, or by workers.

    With the latter, the run and how it is that one; a job is given for its input to be read.
    """

    here: Callable[[Store, Load, Observer], TriggerResult]
    by_workers: Callable[[DbosEngine, Runnable], tuple[str, Disposition]]


def brought_about(job: Job[Any, O], prepared: Callable[[Path], Act], *, suspends: bool) -> Run[O]:
    """What came of a run of this job, whose act is `prepared` before anything is written.

    One that may be suspended is then `waiting`. TimedOut if its attempt has taken too long.
    """
    if job.is_async:
        refuse_running_loop(job.name)
    project = places.project_of_file(job.source)
    with stores.hints_in(project):
        act = prepared(project)
        listens = ListeningJob(job, project, all_threads=False)
        engine = engine_of_workers(project)
        if engine is not None:
            from durably_cli.project.on_workers import awaited_run  # not for journals

            return awaited_run(job, engine, lambda: act.by_workers(engine, listens), suspends)
        store = stores.open_store(project, to_write=True)
        seen = Unseen(suspends=suspends)
        try:
            ended = act.here(store, lambda _: listens, seen)
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

    def check(runs: Runs, run_id: str) -> None:
        created = runs.created(run_id)
        if created is not None and created.job != job:
            raise UsageError(f"run {ids.short(run_id)} is one of {created.job}, not of {job}")

    def here(store: Store, load: Load, seen: Observer) -> TriggerResult:
        runs = LocalRuns(store)
        run_id = runs.find(run)
        check(runs, run_id)
        return resume(store, run_id, load, seen)

    def by_workers(engine: DbosEngine, _: Runnable) -> tuple[str, Disposition]:
        run_id = engine.runs.find(run)
        check(engine.runs, run_id)
        engine.resume(run_id, NO_DECISIONS)
        return run_id, Disposition.CREATED

    return lambda _: Act(here, by_workers)
