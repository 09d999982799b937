"""What a job has to be done when an attempt of it has failed: called once that is on disk."""

from __future__ import annotations

import sys
from contextlib import suppress

from durably_cli.engines.live_run import LiveRun
from durably_cli.errors import Abort, Interrupted, Stopped
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.steps.child import ChildEnds, end_of_child
from durably_cli.steps.current import masking
from durably_cli.system import ids
from durably_cli.system.process import this
from durably_cli.system.time_limits import OutOfTime, TookTooLong, call_within
from durably_cli.values.durations import span

SECONDS = 60.0
"""How long it may take. The command ends after it."""

_NOT_ITS_OWN = (Interrupted, KeyboardInterrupt, OutOfTime, Stopped)
"""What ends the command, or what that is part of."""


def call_on_failure(run: LiveRun | None) -> None:
    """If an attempt has failed here, call it with the run, which is held no more.

    What it raises, and that it took too long, is said and no more.
    """
    work = None if run is None else run.has_failed
    if run is None or work is None or work.on_failure is None:
        return
    with masking(work.secrets), run.held.look() as view:
        owner = this.pid
        try:
            call_within(SECONDS, work.on_failure, (view,))
        except BaseException as error:  # SystemExit too: it would be the exit code of the command
            if this.pid != owner:
                raise end_of_child(error, work.secrets) from None
            if isinstance(error, _NOT_ITS_OWN):
                raise
            called = f"durably: on_failure, called as run {ids.short(run.run_id)} has failed,"
            with suppress(OSError, ValueError, AttributeError):  # nobody reads it, or it is gone
                sys.stderr.write(f"{called} {_said_of(error, work.secrets)}\n")
        if this.pid != owner:
            raise ChildEnds(0)


def _said_of(error: BaseException, secrets: Secrets) -> str:
    """What came of it, and where it failed or hung, in the job's own code."""
    if isinstance(error, TookTooLong):
        late = f"took longer than {span(SECONDS)}, and was ended"
        if (hung := error.__cause__) is None:
            return late
        where, _, _ = secrets.masked_error(describe(hung)).traceback.rpartition("\n")
        return f"{late}\n{where}"
    found = secrets.masked_error(describe(error))
    if isinstance(error, Abort):  # how another run ended, which it has triggered
        return f"has failed itself: {found.message}"
    return f"has failed itself\n{found.traceback}"
