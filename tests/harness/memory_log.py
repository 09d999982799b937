"""A log in memory, for what is tested without a file."""

from __future__ import annotations

from threading import Lock

from durably_cli.errors import RunEnded
from durably_cli.journal.registry import DURABLE, Event


class MemoryLog:
    """A log that is a list; `synced` is how much of it a crash would have left."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.synced = 0
        self._adding, self._has_ended = Lock(), False

    def append(self, event: Event) -> None:
        """Add an event; sync all up to it if it is a durable one."""
        if place := self.write(event):
            self.sync(place)

    def write(self, event: Event) -> int:
        """Add an event; how many there are now, if it is a durable one."""
        place = self._added(event, ends=False)
        return place if type(event) in DURABLE else 0

    def add(self, event: Event) -> None:
        """Add an event to the list, while no other thread does."""
        self.events.append(event)

    def sync(self, place: int) -> None:
        """Say that so many of them are durable."""
        self.synced = max(self.synced, place)

    def end_with(self, event: Event) -> None:
        """Add the last one, and sync all up to it."""
        self.sync(self._added(event, ends=True))

    def end(self) -> None:
        """Take nothing more."""
        with self._adding:
            self._has_ended = True

    def _added(self, event: Event, *, ends: bool) -> int:
        with self._adding:
            if self._has_ended:
                raise RunEnded("the attempt had ended")
            self.add(event)
            self._has_ended = ends
            return len(self.events)
