"""What a job has to be done when an attempt of it has failed: called once that is on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from durably_cli.engines.local.child import ChildEnds, end_of_child
from durably_cli.engines.local.view import RunView
from durably_cli.errors import Abort, Interrupted, Stopped
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.system import files
from durably_cli.system.process import this
from durably_cli.system.time_limits import OutOfTime, TookTooLong, call_within
from durably_cli.values.durations import span

SECONDS = 60.0
"""How long it may take. The command ends after it, and holds the run until then."""

_NOT_ITS_OWN = (Interrupted, KeyboardInterrupt, OutOfTime, Stopped)
"""What ends the command, or what that is part of."""


def call_on_failure(
    journal: Path, act: Callable[[RunView], object] | None, secrets: Secrets
) -> None:
    """Call it with the run. What it raises, and that it took too long, is said and no more."""
    if act is None:
        return
    with RunView(files.open_existing(journal), journal) as view:
        owner = this.pid
        try:
            call_within(SECONDS, act, (view,))
        except BaseException as error:  # SystemExit too: it would be the exit code of the command
            if this.pid != owner:
                raise end_of_child(error, secrets) from None
            if isinstance(error, _NOT_ITS_OWN):
                raise
            sys.stderr.write(f"{_said_of(error, secrets)}\n")
        if this.pid != owner:
            raise ChildEnds(0)


def _said_of(error: BaseException, secrets: Secrets) -> str:
    """What came of it: where it failed or hung, in the job's own code."""
    if isinstance(error, TookTooLong):
        late = f"durably: on_failure took longer than {span(SECONDS)}, and was ended"
        hung = error.__cause__
        return late if hung is None else f"{secrets.masked_error(describe(hung)).traceback}\n{late}"
    found = secrets.masked_error(describe(error))
    if isinstance(error, Abort):  # how another run ended, which it has triggered
        return f"durably: on_failure has failed itself: {found.message}"
    return f"{found.traceback}\ndurably: on_failure has failed itself"
