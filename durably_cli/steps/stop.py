"""Stopping an attempt, whatever the cause."""

from __future__ import annotations

import time

from durably_cli.errors import Abort

_LOOKS_SECONDS = 0.1
"""How often a wait looks whether it is to end."""


class Stop:
    """Whether an attempt is to end, and why.

    What is in flight comes to its end. After that every step of the attempt raises the cause again,
    so that no `finally` of the handler takes one, and waits end with it.
    """

    cause: Abort | None = None

    def stop(self, cause: Abort) -> None:
        """End the attempt; the first cause is the one."""
        if self.cause is None:
            self.cause = cause

    def check(self) -> None:
        """Raise the cause, if there is one."""
        if self.cause is not None:
            raise self.cause

    def wait(self, seconds: float) -> None:
        """Let time pass; raise the cause of a stop as soon as there is one."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOKS_SECONDS))
            self.check()
