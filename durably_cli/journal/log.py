"""Where a run's events go: a file, a list in tests, a table."""

from __future__ import annotations

from typing import Protocol

from durably_cli.journal.registry import Event


class Log(Protocol):
    """Takes the events of one attempt, in order, from any thread.

    What is durable is not acknowledged before it is synced; a sync that fails fails for all who
    wait for it, and after it nothing is taken any more.
    """

    def append(self, event: Event) -> None:
        """Add an event; return once it is as durable as its class says."""

    def write(self, event: Event) -> int:
        """Add an event, which need not be durable yet; the place to hand to `sync`, 0 if it may.

        It may if its class says that it need not be durable, and nothing else asks for that.
        """

    def sync(self, place: int) -> None:
        """Return once all up to this place is durable."""

    def end_with(self, event: Event) -> None:
        """Add the event that ends the attempt: RunEnded for all that comes behind it."""

    def end(self) -> None:
        """Take nothing more; return when nobody is adding anything any more."""
