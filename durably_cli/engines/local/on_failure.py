"""What a job has to be done when an attempt of it has failed: called once that is on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from durably_cli.engines.local.view import RunView
from durably_cli.errors import Abort, Interrupted, Stopped
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.system import files
from durably_cli.system.process import ChildEnds, this
from durably_cli.system.time_limits import OutOfTime, TookTooLong, call_within
from durably_cli.values.durations import span

SECONDS = 60.0
"""How long it may take: the command does not end before it, and holds the run until then."""


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
                raise ChildEnds(1) from None
            if isinstance(error, _ENDS_THE_COMMAND):
                raise
            _say(error, secrets)
        if this.pid != owner:
            raise ChildEnds(0)


_ENDS_THE_COMMAND = (Interrupted, KeyboardInterrupt, OutOfTime, Stopped)
"""What is not its own: not how another run ended that it has triggered."""


def _say(error: BaseException, secrets: Secrets) -> None:
    found, where = secrets.masked_error(describe(error)), None
    if isinstance(error, TookTooLong):
        what, where = f"took longer than {span(SECONDS)}, and was ended", error.__cause__
    elif isinstance(error, Abort):  # how a run ended that it has triggered
        what = f"has failed itself: {found.message}"
    else:
        what, where = "has failed itself", error
    if where is not None:
        sys.stderr.write(f"{secrets.masked_error(describe(where)).traceback}\n")
    sys.stderr.write(f"durably: on_failure {what}\n")
