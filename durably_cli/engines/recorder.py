"""What an attempt reports, from any thread: into the journal, and then to whoever looks on.

Threads report side by side, so that those which finish together share a sync; whoever looks on is
shown one event after the other. What a signal handler or a finalizer of the job reports in the
middle of another report of the same thread waits for the end of that one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock, get_ident

from durably_cli.errors import RunEnded, StepMisused
from durably_cli.journal.events import LogWritten, ProgressReported
from durably_cli.journal.log import Log
from durably_cli.journal.registry import Event
from durably_cli.system.process import this

_CAN_WAIT = (LogWritten, ProgressReported)

_BEHIND_THE_HANDLER = 0.001
"""Seconds that a log line of another thread leaves to the handler's report: a lock is not fair."""


class Recorder:
    """Adds events to a run's log, and shows each once it is there, one after the other.

    The thread that makes it is the handler's. RunEnded for what another thread reports behind the
    end; StepMisused for a step that is started in the middle of another report.
    """

    def __init__(self, log: Log, recorded: Callable[[Event], object]) -> None:
        self._log, self._append, self._recorded = log, log.append, recorded
        self._process, self._handler = this.pid, get_ident()
        self._gate = Lock()
        self._is_reporting, self._others = False, set[int]()
        """Whether the handler is in the middle of a report, and which threads are."""
        self._has_others = False
        """Has any other thread reported yet? Until then the handler needs no gate: saves 0.4 us."""
        self._waiting = deque[Event]()

    def __call__(self, event: Event) -> None:
        """Record an event: what must be durable is so on return."""
        if self._is_reporting or get_ident() != self._handler or this.pid != self._process:
            self._from_elsewhere(event)
            return
        self._is_reporting = True
        try:
            self._append(event)
            if self._has_others or self._waiting:
                with self._gate:
                    self._recorded(event)
                    self._record_what_waits()
            else:
                self._recorded(event)
        except RunEnded:  # raised by what a signal handler of the job reports: it would be ours
            if not isinstance(event, _CAN_WAIT):
                raise
        finally:
            self._is_reporting = False

    def write(self, event: Event) -> int:
        """Record an event of the handler's thread, which is not to wait for a disk.

        0 once it is shown; else the place to hand to `sync`, in any thread, and then to `show` it.
        """
        if self._is_reporting or get_ident() != self._handler or this.pid != self._process:
            self._from_elsewhere(event)
            return 0
        self._is_reporting = True
        try:
            place = self._log.write(event)
            with self._gate:
                if not place:
                    self._recorded(event)
                self._record_what_waits()
            return place
        finally:
            self._is_reporting = False

    def sync(self, place: int) -> None:
        """Return once all up to this place is durable."""
        self._log.sync(place)

    def show(self, event: Event) -> None:
        """Show an event that was written and synced."""
        with self._gate:
            self._recorded(event)

    def all(self, events: Iterable[Event]) -> None:
        """Record these events, of the handler's thread, with one sync."""
        found = list(events)
        with self._gate:
            for event in found[:-1]:
                self._log.write(event)
                self._recorded(event)
        for event in found[-1:]:
            self(event)

    def end_with(self, event: Event) -> None:
        """Record the event that ends the attempt: nothing comes behind it."""
        if this.pid != self._process:
            self._append(event)
            return
        self._is_reporting = True
        try:
            with self._gate:
                self._record_what_waits()
                self._log.end_with(event)
                self._recorded(event)
        finally:
            self._is_reporting = False

    def end(self) -> None:
        """The attempt is over, however it ended: return when no thread is reporting any more."""
        if this.pid == self._process:
            self._is_reporting = True  # a signal handler that logs now waits, and in vain
            try:
                self._log.end()
                with self._gate:
                    self._recorded = _unseen
            finally:
                self._is_reporting = False

    def _from_elsewhere(self, event: Event) -> None:
        thread = get_ident()
        if this.pid != self._process:  # a fork copies locks that nobody will ever let go
            self._append(event)
        elif thread == self._handler or thread in self._others:
            self._wait(event)
        else:
            self._others.add(thread)
            try:
                if not self._has_others:
                    self._has_others = True
                    while self._is_reporting:  # and has not seen that it is no longer the only one
                        time.sleep(_BEHIND_THE_HANDLER)
                if self._is_reporting and isinstance(event, _CAN_WAIT):
                    time.sleep(_BEHIND_THE_HANDLER)
                self._append(event)
                with self._gate:
                    self._recorded(event)
                    self._record_what_waits()
            finally:
                self._others.discard(thread)

    def _record_what_waits(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            self._append(event)
            self._recorded(event)

    def _wait(self, event: Event) -> None:
        if not isinstance(event, _CAN_WAIT):
            raise StepMisused(
                "a signal handler or a finalizer started a step while durably was recording; "
                "let it log or report progress, and start steps from the handler itself"
            )
        self._waiting.append(event)


def _unseen(_: Event) -> None:
    pass
