"""A module that is run as a script: what its `main()` does, and what is said if it calls none."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from durably_cli import hints, program
from durably_cli.project import places, stores
from durably_cli.project.job import Job
from durably_cli.project.script_start import starter_of

_defined: list[Job[Any, Any]] = []


def note_job(job: Job[Any, Any]) -> None:
    """A script defines this job. If it ends without using one, it says how they are run."""
    if not _defined:
        atexit.register(_say, os.getpid())
    _defined.append(job)


def jobs_of_script(script: Path) -> list[Job[Any, Any]]:
    """The jobs of the script that this process was started as; none of another one."""
    return [job for job in _defined if job.source == script and program.is_process_of(script)]


def run_as_script(job: Job[Any, Any]) -> None:
    """Be the command line of the script that the job is written in, and leave.

    It belongs to its project if it lies in jobs/; else it is one. Nothing if it is imported.
    """
    if job.handler.__module__ != "__main__":
        return
    script = job.source
    above = script.parent.parent
    is_of_project = places.is_project(above) and script in places.job_files(above)
    project = above if is_of_project else script
    starter = starter_of(script, is_running=True)
    # The floor of commands is above this one: a script's process begins down here.
    cli = import_module("durably_cli.cli")
    cli.run_script(project, job.name, {each.name for each in _defined}, starter)


def _say(pid: int) -> None:
    is_typed_into, has_failed = bool(sys.flags.interactive), hasattr(sys, "last_value")
    is_used = any(job._is_used for job in _defined)
    if is_used or is_typed_into or has_failed or pid != os.getpid():
        return
    with suppress(Exception):  # the script has ended well, whatever keeps this from being said
        project = places.project_of_file(_defined[0].source)
        if project == _defined[0].source:
            name = getattr(_defined[-1].handler, "__name__", "JOB")
            how = f"this defines a job, and runs none: write at its end: {name}.main()"
        elif _defined[0].source not in places.job_files(project):
            return
        else:
            with stores.hints_in(project):
                if len(_defined) == 1:
                    how = f"this defines a job: {hints.command('trigger', _defined[0].name)}"
                else:
                    how = f"this defines {len(_defined)} jobs: {hints.command('jobs')}"
        print(how, file=sys.stderr, flush=True)
