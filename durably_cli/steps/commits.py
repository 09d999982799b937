"""Events of the tasks of a loop, which does not wait for the disk.

An event is written at once, and a thread syncs. All that is written in one turn of the loop, and
while the thread syncs, has one sync together.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Collection
from typing import Any, Protocol

from durably_cli.journal.registry import Event
from durably_cli.steps.loop_threads import LoopThreads
from durably_cli.steps.operation import Raised

_MOMENT_SECONDS = 0.001
"""What a step that is not the only one waits for others that end: half of the syncs, or less."""


class Recording(Protocol):
    """Where events are written, and synced apart."""

    def write(self, event: Event, /) -> int:
        """Write an event; 0 if it counts, else the place to hand to `sync` before it does."""

    def sync(self, place: int, /) -> None:
        """Return once all up to this place is durable."""

    def show(self, event: Event, /) -> None:
        """The event counts."""


class Commits:
    """Records events for the tasks of one loop, with known secrets masked.

    Whoever is `in_flight` beside another one leaves others a moment to share its sync.
    """

    def __init__(
        self,
        recording: Recording,
        mask: Callable[[Event], Event],
        in_flight: Collection[str],
    ) -> None:
        self._recording, self._mask, self._in_flight = recording, mask, in_flight
        self._thread = LoopThreads(1)  # of its own: others are the user's, and may block for ever
        self._place = 0
        self._written = list[Event]()
        self._next: Future[object] | None = None
        """What comes of the next sync, if any task waits for that."""
        self._is_syncing = False

    async def record(self, event: Event) -> None:
        """Write an event; return once it is as durable as it must be."""
        event = self._mask(event)
        place = self._recording.write(event)
        if not place:
            return
        self._place, loop = place, asyncio.get_running_loop()
        self._written.append(event)
        if self._next is None:
            self._next = loop.create_future()
            if not self._is_syncing:
                self._is_syncing = True
                if len(self._in_flight) > 1:
                    loop.call_later(_MOMENT_SECONDS, self._sync)
                else:
                    loop.call_soon(self._sync)
        outcome = await asyncio.shield(self._next)
        if isinstance(outcome, Raised):
            raise outcome.error

    def _sync(self) -> None:
        """Sync what was written up to now, and then what will have been written meanwhile."""
        place, waiting, self._next = self._place, self._next, None
        written, self._written = self._written, []
        if waiting is None:
            self._is_syncing = False
            return

        def end(outcome: Any) -> None:
            if not isinstance(outcome, Raised):
                for event in written:
                    self._recording.show(event)
            waiting.set_result(outcome)
            self._sync()

        try:
            synced = self._thread.future(lambda: self._recording.sync(place))
        except RuntimeError:  # the machine lets there be no more threads
            end(self._synced_here(place))
        else:
            synced.add_done_callback(lambda future: end(future.result()))

    def _synced_here(self, place: int) -> object:
        try:
            self._recording.sync(place)
        except BaseException as error:
            return Raised(error)
        return None
