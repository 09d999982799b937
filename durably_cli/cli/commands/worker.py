"""`durably worker`: execute the runs of a project that has the engine dbos."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_span
from durably_cli.cli.asking import say
from durably_cli.cli.streams import flush_both
from durably_cli.errors import ConfigError, Interrupted, UsageError
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.cli.printed_in_threads import PrintedInThreads
    from durably_cli.engines.observer import Runnable

_IN_A_STEP = 75
"""The exit code of a worker that left runs in the middle of a step."""


@as_command()
def worker(
    context: typer.Context,
    slots: Annotated[
        int, typer.Option("-n", "--slots", min=1, metavar="N", help="How many runs at once.")
    ] = 1,
    jobs: Annotated[
        str | None, typer.Option(metavar="JOB,JOB", help="Only runs of these jobs.")
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="At TERM, leave after 30s or 5m, whatever is in a step then."
        ),
    ] = None,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Print the unit of systemd that starts it.")
    ] = False,
) -> int:
    """Execute runs, on this machine, until it is stopped.

    Of a project with engine = "dbos": any number of workers, on any machines, take up what was
    triggered, each run by one of them. The runs of one that dies are taken up by another.

    At the first TERM, or Ctrl-C, it begins no run any more, stops each behind the step that it is
    in, and leaves them to others; at the second one it leaves at once. Runs that it executes share
    its working directory, environment and streams: more isolation give more workers.

    \b
    Examples:
      durably worker
      durably worker -n 4 --grace 5m
      durably worker --jobs train,evaluate
      durably worker -n 4 --systemd > durably-worker.service
    """
    seconds = None if grace is None else read_span(grace, "--grace")
    names = None if jobs is None else [name.strip() for name in jobs.split(",")]
    if systemd:
        return print_unit(project_of(context), slots, names, grace, seconds)
    return run_worker(project_of(context), slots, names, seconds)


def run_worker(project: Path, slots: int, names: list[str] | None, grace: float | None) -> int:
    """`durably worker`; the exit code."""
    import time

    from durably_cli.project.engine import require_engine_of_workers
    from durably_cli.system import signals

    engine = require_engine_of_workers(project, "a worker")
    engine.database.row("select 1 from durably.workers limit 1")  # is it there, and ready?
    os.chdir(project)
    from durably_cli.cli.printed_in_threads import PrintedInThreads

    printed = PrintedInThreads()  # before a job is loaded, which may remember the streams
    jobs = _jobs(project, names, printed)
    from durably_cli.cli.worker_chores import WorkerChores
    from durably_cli.engines.dbos.worker import Worker

    chores = WorkerChores(project, engine, say)
    found = Worker(engine.database.url, engine.database.project, jobs, slots, say, chores)
    signals.install()
    try:
        found.start()
        say(f"worker {found.executor} has {plural(len(jobs), 'job')}, {slots} at once")
        while True:  # Python may miss a signal that comes as a wait begins, until that ends
            time.sleep(1)
    except Interrupted:
        say("finishing what is in a step; a second signal ends it at once")
        left = found.drain(grace)
        found.leave()
        if left:
            say(f"left in a step: {plural(len(left), 'run')} ({', '.join(map(short, left))})")
        flush_both()
        os._exit(_IN_A_STEP if left else 0)  # threads of DBOS would wait for runs that others have
    return 0


def print_unit(
    project: Path, slots: int, names: list[str] | None, grace: str | None, seconds: float | None
) -> int:
    """Print the unit of a worker that is called as this one is; the exit code."""
    from durably_cli.cli.scheduling import schedule_name, words_for_cron
    from durably_cli.project.engine import database_variable
    from durably_cli.render.scheduled import Scheduled
    from durably_cli.render.worker_unit import worker_unit

    options = ["-n", str(slots)]
    options += [] if names is None else ["--jobs", ",".join(names)]
    options += [] if grace is None else ["--grace", grace]
    variables, words = words_for_cron(project, "worker", *options)
    name = schedule_name(project, "worker")
    what = Scheduled(name, f"worker of {project}", None, variables, words, "", None)
    variable = database_variable(project)
    try:
        unit = worker_unit(what, seconds, f"/etc/durably/{name}.env" if variable else "")
    except ValueError as error:
        raise UsageError(str(error)) from None
    sys.stdout.write(unit)
    if variable:
        say(f"/etc/durably/{name}.env is to say {variable}=..., for its user alone to read")
    return 0


def _jobs(project: Path, names: list[str] | None, printed: PrintedInThreads) -> dict[str, Runnable]:
    """The jobs of these names, or all. ConfigError if some cannot be loaded, and all are to be."""
    from durably_cli.project.discovery import find_job, load_all
    from durably_cli.project.listening_job import ListeningJob

    if names is not None:
        jobs = {name: find_job(project, name, say) for name in names}
    else:
        jobs, broken = load_all(project)
        if broken:
            what = "\n".join(f"{each.path}: {each.what}" for each in broken)
            hint = hints.command("worker", "--jobs", ",".join(jobs)) if jobs else None
            raise ConfigError(f"not all jobs of the project can be loaded\n{what}", hint=hint)
        if not jobs:
            what = f"there is no job in {project / 'jobs'}: a worker of none would execute nothing"
            raise ConfigError(what, hint=hints.command("jobs"))
    return {
        name: ListeningJob(job, project, all_threads=False, besides=printed.into_logs)
        for name, job in jobs.items()
    }
