"""A process that the code of a job forked, and that came back to durably: it ends there."""

from __future__ import annotations

import sys
from contextlib import suppress

from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets


class ChildEnds(SystemExit):
    """The end of such a process, with nothing written to the run."""


def end_of_child(error: BaseException, secrets: Secrets) -> ChildEnds:
    """Its end after what it raised, as of a plain program: its exit code, or a traceback and 1."""
    if issubclass(type(error), SystemExit):
        return ChildEnds(SystemExit.__dict__["code"].__get__(error))
    with suppress(OSError, ValueError, AttributeError):  # it is gone
        sys.stderr.write(secrets.masked_error(describe(error)).traceback + "\n")
    return ChildEnds(1)
