"""durably: Python functions that survive a crash, on one machine, without a server.

    from durably import Step, define_job

All of it is of durably_cli, under the same names, and is loaded when it is first asked for.
"""

from __future__ import annotations

import durably_cli
from durably_cli.version import __version__ as __version__

TYPE_CHECKING = False  # as in durably_cli
if TYPE_CHECKING:
    from typing import Any

    from durably_cli import (
        Approval,
        AsyncJob,
        AsyncStep,
        CommandResult,
        DurablyError,
        DurablyStore,
        File,
        FileChanged,
        Job,
        NotDone,
        Results,
        Retry,
        RetryAfter,
        Run,
        RunFailed,
        Secret,
        Step,
        StepError,
        StepMisused,
        StepTimeout,
        ValueRefused,
        WaitTimeout,
        define_job,
        idempotency_key,
        sh,
        signal,
    )

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(durably_cli, name)


def __dir__() -> list[str]:
    return sorted(__all__)
