"""Events of the tasks of a loop, which waits for no disk.

An event is written at once, and a thread syncs. All that is written in one turn of the loop, and
while the thread syncs, has one sync together.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import Any, Protocol

from durably_cli.journal.registry import Event
from durably_cli.steps.loop_threads import LoopThreads
from durably_cli.steps.operation import Raised


class Recording(Protocol):
    """Where events are written, and synced apart."""

    def write(self, event: Event, /) -> int:
        """Write an event; 0 if it counts, else the place to hand to `sync` before it does."""

    def sync(self, place: int, /) -> None:
        """Return once all up to this place is durable."""

    def show(self, event: Event, /) -> None:
        """The event counts."""


class Commits:
    """Records events for the tasks of one loop.

    The thread that syncs is its own: all others may be in functions of the user's.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording, self._threads = recording, LoopThreads()
        self._place = 0
        self._next: Future[object] | None = None
        """What comes of the next sync, if any task waits for that."""
        self._is_syncing = False

    async def record(self, event: Event) -> None:
        """Write an event; return once it is as durable as it must be."""
        place = self._recording.write(event)
        if not place:
            return
        self._place, loop = place, asyncio.get_running_loop()
        if self._next is None:
            self._next = loop.create_future()
            if not self._is_syncing:
                self._is_syncing = True
                loop.call_soon(self._sync)
        outcome = await asyncio.shield(self._next)
        if isinstance(outcome, Raised):
            raise outcome.error
        self._recording.show(event)

    def _sync(self) -> None:
        """Sync what was written up to now, and then what will have been written meanwhile."""
        place, waiting, self._next = self._place, self._next, None
        if waiting is None:
            self._is_syncing = False
            return

        def ended(synced: Future[object]) -> None:
            waiting.set_result(synced.result())
            self._sync()

        self._synced(place).add_done_callback(ended)

    def _synced(self, place: int) -> Future[Any]:
        try:
            return self._threads.future(lambda: self._recording.sync(place))
        except RuntimeError:  # the machine lets there be no thread: the loop waits for the disk
            synced = asyncio.get_running_loop().create_future()
        try:
            self._recording.sync(place)
            synced.set_result(None)
        except BaseException as error:
            synced.set_result(Raised(error))
        return synced
