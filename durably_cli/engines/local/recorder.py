"""One event after the other, whoever reports them: the handler, its threads, a signal's handler.

An event that is reported while another one is being recorded waits: in another thread for its turn,
in the same one (a signal handler or a finalizer of the job reports it) in a queue. Behind the end
of the attempt comes nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from durably_cli.errors import RunEnded, StepMisused
from durably_cli.journal.events import (
    Event,
    LogWritten,
    ProgressReported,
    StepStarted,
)
from durably_cli.system import process
from durably_cli.system.ids import short

_CAN_WAIT = (LogWritten, ProgressReported)


class Recorder:
    """Adds events to a run's journal, and shows each once it is there; from any thread.

    The thread that makes it is the handler's, which goes before the others.

    RunEnded for what another thread reports behind the end; StepMisused for a step that is started
    while this very thread records another event.
    """

    def __init__(
        self, run_id: str, append: Callable[[Event], object], recorded: Callable[[Event], object]
    ) -> None:
        self._run = short(run_id)
        self._append, self._recorded = append, recorded
        self._process, self._handler = process.this.pid, threading.get_ident()
        self._gate, self._turn = threading.RLock(), threading.RLock()
        self._recording: int | None = None
        self._waiting = deque[Event]()
        self._has_ended = False

    def __call__(self, event: Event) -> None:
        """Record an event: what must be durable is so on return."""
        thread = threading.get_ident()
        is_alone = self._recording is None and process.this.pid == self._process
        if not (is_alone and thread == self._handler):
            self._from_elsewhere(event, thread)
            return
        with self._gate, self._turn:  # threads that report without a pause stay behind it
            self._record(event, thread)

    def end_with(self, event: Event) -> None:
        """Record the event that ends the attempt: nothing comes behind it."""
        if process.this.pid != self._process:
            self._append(event)
            return
        with self._gate, self._turn:
            self._recording, self._has_ended = threading.get_ident(), True
            try:
                self._append(event)
                self._recorded(event)
            finally:
                self._recording = None

    def end(self) -> None:
        """The attempt is over, however it ended: returns when no thread is recording any more."""
        self._has_ended = True
        if process.this.pid == self._process:
            with self._turn:
                pass

    def _from_elsewhere(self, event: Event, thread: int) -> None:
        if process.this.pid != self._process:  # a fork copies locks that nobody will ever let go
            self._append(event)
        elif thread == self._recording:
            self._wait(event)
        else:
            with self._gate:
                pass
            with self._turn:
                self._record(event, thread)

    def _record(self, event: Event, thread: int) -> None:
        if self._has_ended:
            self._refuse(event)
            return
        self._recording = thread
        try:
            self._append(event)
            self._recorded(event)
            while self._waiting:
                late = self._waiting.popleft()
                self._append(late)
                self._recorded(late)
        finally:
            self._recording = None

    def _wait(self, event: Event) -> None:
        if not isinstance(event, _CAN_WAIT):
            raise StepMisused(
                "a signal handler or a finalizer started a step while durably was recording; "
                "let it log or report progress, and start steps from the handler itself"
            )
        self._waiting.append(event)

    def _refuse(self, event: Event) -> None:
        """RunEnded, but for a report in the handler's thread, where the handler is no more.

        There a signal handler, a finalizer or an exit function of the job reports, and what it
        raised would be raised in the middle of durably.
        """
        if threading.get_ident() == self._handler and isinstance(event, _CAN_WAIT):
            return
        what = "asked for a step" if isinstance(event, StepStarted) else "reported something"
        raise RunEnded(
            f"a thread {what} when the attempt of run {self._run} had ended; it is not recorded: "
            "let the handler wait for the threads that it starts"
        )
