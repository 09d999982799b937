"""A process that the code of a job forked, and that came back to durably: it ends there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from durably_cli.journal.failures import describe
from durably_cli.journal.masking import NO_SECRETS, Secrets
from durably_cli.steps.operation import Raised
from durably_cli.system.process import this


class ChildEnds(SystemExit):
    """The end of such a process, with nothing written to the run."""


def end_of_child(error: BaseException, secrets: Secrets) -> ChildEnds:
    """Its end after what it raised, as of a plain program: its exit code, or a traceback and 1."""
    if issubclass(type(error), SystemExit):
        return ChildEnds(SystemExit.__dict__["code"].__get__(error))
    with suppress(OSError, ValueError, AttributeError):  # it is gone
        sys.stderr.write(secrets.masked_error(describe(error)).traceback + "\n")
    return ChildEnds(1)


def leave_as_child(owner: int, outcome: Any, secrets: Secrets | None = None) -> None:
    """End this process at once if a function of a step has forked it: it came back with this.

    In a thread, or on an event loop, nothing else of the process goes on in its copy.
    """
    if this.pid == owner:
        return
    code: object = 0
    if type(outcome) is Raised:
        code = end_of_child(outcome.error, secrets or NO_SECRETS).code
    if code is not None and not isinstance(code, int):
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{code}\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code or 0)
