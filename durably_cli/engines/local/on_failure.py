"""What a job has to be done when an attempt of it has failed: called once that is on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from durably_cli.engines.local.view import RunView
from durably_cli.errors import Abort
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.system import files
from durably_cli.system.process import ChildEnds, this
from durably_cli.system.time_limits import TookTooLong, call_within
from durably_cli.values.durations import span

SECONDS = 60.0
"""How long it may take: until it ends the command does not, nor does anybody else have the run."""


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
        except (Abort, KeyboardInterrupt):
            raise
        except TookTooLong:
            said = f"on_failure took longer than {span(SECONDS)}, and was ended"
            sys.stderr.write(f"durably: {said}\n")
        except BaseException as error:  # SystemExit too: it would be the exit code of the command
            if this.pid != owner:
                raise ChildEnds(1) from None
            raised = secrets.masked_error(describe(error))
            sys.stderr.write(f"{raised.traceback}\ndurably: on_failure has failed itself\n")
        if this.pid != owner:
            raise ChildEnds(0)
