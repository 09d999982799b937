"""A job's module that is run as a script: it defines a job, and would end without a word."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import Any

from durably_cli import hints
from durably_cli.project import places, stores
from durably_cli.project.job import Job

_defined: list[Job[Any, Any]] = []


def say_at_exit(job: Job[Any, Any]) -> None:
    """When the script ends, say how the job is run; not if one of its jobs was used by then."""
    if not _defined:
        atexit.register(_say, os.getpid())
    _defined.append(job)


def _say(pid: int) -> None:
    is_typed_into, has_failed = bool(sys.flags.interactive), hasattr(sys, "last_value")
    is_used = any(job._is_used for job in _defined)
    if is_used or is_typed_into or has_failed or pid != os.getpid():
        return
    with suppress(Exception):  # the script has ended well, whatever keeps this from being said
        project = places.find_project(start=_defined[0].source.parent)
        if _defined[0].source not in places.job_files(project):
            return
        with stores.hints_in(project):
            if len(_defined) == 1:
                how = f"this defines a job: {hints.command('trigger', _defined[0].name)}"
            else:
                how = f"this defines {len(_defined)} jobs: {hints.command('jobs')}"
        print(how, file=sys.stderr, flush=True)
