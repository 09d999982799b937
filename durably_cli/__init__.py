"""durably: Python functions that survive a crash, on one machine, without a server.

    from durably import Step, define_job

The names below are loaded when they are first asked for: the commands that only read journals
import this package too, and pay for none of it.
"""

from __future__ import annotations

import sys

from durably_cli.version import NOT_ON_WINDOWS, __version__

# Not that of typing, which `python -m durably_cli` would take from the folder it is in.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durably_cli.errors import (
        DurablyError,
        FileChanged,
        RunFailed,
        StepError,
        StepMisused,
        ValueRefused,
        WaitTimeout,
    )
    from durably_cli.project.defining import define_job
    from durably_cli.project.job import AsyncJob, Job
    from durably_cli.project.run import Run
    from durably_cli.project.signalling import signal
    from durably_cli.project.store_of_tests import DurablyStore
    from durably_cli.steps.approval import Approval
    from durably_cli.steps.async_step import AsyncStep
    from durably_cli.steps.current import idempotency_key
    from durably_cli.steps.doubt import NotDone
    from durably_cli.steps.many import Results
    from durably_cli.steps.program import CommandResult
    from durably_cli.steps.shell import sh
    from durably_cli.steps.step import Step
    from durably_cli.steps.tries import Retry, RetryAfter
    from durably_cli.values.file import File
    from durably_cli.values.secret import Secret

__all__ = [
    "Approval",
    "AsyncJob",
    "AsyncStep",
    "CommandResult",
    "DurablyError",
    "DurablyStore",
    "File",
    "FileChanged",
    "Job",
    "NotDone",
    "Results",
    "Retry",
    "RetryAfter",
    "Run",
    "RunFailed",
    "Secret",
    "Step",
    "StepError",
    "StepMisused",
    "StepTimeout",
    "ValueRefused",
    "WaitTimeout",
    "__version__",
    "define_job",
    "idempotency_key",
    "sh",
    "signal",
]

_HOMES = {
    "Approval": "steps.approval",
    "AsyncJob": "project.job",
    "AsyncStep": "steps.async_step",
    "CommandResult": "steps.program",
    "DurablyStore": "project.store_of_tests",
    "File": "values.file",
    "Job": "project.job",
    "NotDone": "steps.doubt",
    "Run": "project.job",
    "define_job": "project.defining",
    "idempotency_key": "steps.current",
    "Results": "steps.many",
    "Retry": "steps.tries",
    "RetryAfter": "steps.tries",
    "Step": "steps.step",
    "Secret": "values.secret",
    "sh": "steps.shell",
    "signal": "project.signalling",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if sys.platform == "win32":
        raise ImportError(NOT_ON_WINDOWS)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
