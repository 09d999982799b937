"""`durably worker`: execute the runs of a project that has the engine dbos."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say
from durably_cli.errors import ConfigError, Interrupted
from durably_cli.values.quantities import plural


@as_command()
def worker(
    context: typer.Context,
    slots: Annotated[
        int, typer.Option("-n", "--slots", min=1, metavar="N", help="How many runs at once.")
    ] = 1,
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
      durably worker -n 4
    """
    return run_worker(project_of(context), slots)


def run_worker(project: Path, slots: int) -> int:
    """`durably worker`; the exit code."""
    import threading

    from durably_cli.project.discovery import load_all
    from durably_cli.project.engine import require_engine_of_workers
    from durably_cli.project.listening_job import ListeningJob
    from durably_cli.system import signals

    engine = require_engine_of_workers(project, "a worker")
    engine.database.row("select 1 from durably.workers limit 1")  # is it there, and ready?
    os.chdir(project)
    jobs, broken = load_all(project)
    if broken:  # of runs that share keys it would take up those of jobs that it has not
        what = "\n".join(f"{each.path}: {each.what}" for each in broken)
        raise ConfigError(f"a worker must have all jobs of its project\n{what}")
    from durably_cli.engines.dbos.worker import Worker

    listening = {name: ListeningJob(job, project, all_threads=False) for name, job in jobs.items()}
    found = Worker(engine.database.url, engine.database.project, listening, slots, say)
    signals.install(before_exit=found.leave)
    try:
        found.start()
        say(f"worker {found.executor} has {plural(len(jobs), 'job')}, {slots} at once")
        threading.Event().wait()
    except Interrupted:
        say("finishing what is in a step; a second signal ends it at once")
        found.drain()
        found.leave()
        sys.stderr.flush()
        os._exit(0)  # threads of DBOS would wait for runs that are others' now
    return 0
