"""Where a run's events go: a file, a list in memory, a table."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

from durably_cli.errors import RunEnded
from durably_cli.journal.events import DURABLE, Event


class Log(Protocol):
    """Takes the events of one attempt, in order, from any thread.

    What is durable is not acknowledged before it is synced; a sync that fails fails for all who
    wait for it, and after it nothing is taken any more.
    """

    def append(self, event: Event) -> None:
        """Add an event; return once it is as durable as its class says."""

    def write(self, event: Event) -> int:
        """Add an event that need not be durable yet; the place to hand to `sync`."""

    def sync(self, place: int) -> None:
        """Return once all up to this place is durable."""

    def end_with(self, event: Event) -> None:
        """Add the event that ends the attempt: RunEnded for all that comes behind it."""

    def end(self) -> None:
        """Take nothing more; return when nobody is adding anything any more."""


class MemoryLog:
    """A log that is a list, for tests; `synced` is how much of it a crash would have left."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.synced = 0
        self._adding, self._has_ended = Lock(), False

    def append(self, event: Event) -> None:
        """Add an event; sync all up to it if it is a durable one."""
        place = self.write(event)
        if type(event) in DURABLE:
            self.sync(place)

    def write(self, event: Event) -> int:
        """Add an event; how many there are now."""
        with self._adding:
            if self._has_ended:
                raise RunEnded("the attempt had ended")
            self.add(event)
            return len(self.events)

    def add(self, event: Event) -> None:
        """Add an event to the list, while no other thread does."""
        self.events.append(event)

    def sync(self, place: int) -> None:
        """Say that so many of them are durable."""
        self.synced = max(self.synced, place)

    def end_with(self, event: Event) -> None:
        """Add the last one."""
        self.append(event)
        self._has_ended = True

    def end(self) -> None:
        """Take nothing more."""
        with self._adding:
            self._has_ended = True
