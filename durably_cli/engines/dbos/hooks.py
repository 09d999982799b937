"""What a worker calls of those that watch its runs, which are above the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun


class Hooks(Protocol):
    """Called by a worker; none of them raises."""

    def begins(self, run: LiveRun) -> None:
        """In the thread of the run: an attempt at it begins now."""

    def ended(self, run_id: str, why: str = "") -> None:
        """In the thread of the run: what this worker does of it is over, and all of that is
        durable; DBOS learns of it behind this. `why` if it cannot go on by itself.
        """

    def now_and_then(self) -> None:
        """About twice a second, in a thread that must not be held up."""
