"""What stops an attempt from beside it: a request to cancel the run, or the end of its time.

A thread looks four times a second. Whatever stopped the attempt, it also gets the handler out of a
wait for its threads: these may sleep for hours, and durably is to end within a second. A `finally`
of the user's own is left in peace.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from types import FrameType
from typing import Self

from durably_cli.engines.run_view import CancelRequest
from durably_cli.errors import AttemptTimedOut, Cancelled, DurablyError, Stopped
from durably_cli.steps.stop import Stop
from durably_cli.system.alarms import alarm
from durably_cli.values.durations import span
from durably_cli.values.untrusted import OURS

_LOOKS_SECONDS = 0.25


class Stopper:
    """Looks after an attempt of this thread while it is entered; a context manager."""

    def __init__(self, stop: Stop, request: Callable[[], CancelRequest | None]) -> None:
        self._stop, self._request = stop, request
        self._thread = get_ident()
        self._alarm = alarm(Stopped())
        self._running = allocate_lock()
        self._deadline: float | None = None
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._find_cause()  # somebody may have asked before there was an owner
        self._running.acquire()
        self._alarm.set()
        start_new_thread(self._look, ())
        return self

    def limit(self, seconds: float | None) -> None:
        """From now on the attempt has so many seconds."""
        if seconds is not None:
            self._seconds, self._deadline = seconds, time.monotonic() + seconds

    def end(self) -> None:
        """Stop nothing any more: what the handler did has come to its end."""
        self._alarm.end()
        if self._running.locked():
            self._running.release()

    def __exit__(self, *_: object) -> None:
        self.end()

    def _look(self) -> None:
        """The thread: until the attempt is over."""
        is_raised = is_late = False
        last = time.monotonic()
        while not self._running.acquire(timeout=_LOOKS_SECONDS):
            last, before = time.monotonic(), last
            if self._deadline is not None and self._stop.waits_until() is not None:
                self._deadline += last - before  # what waits takes no time
            if self._stop.cause is None:
                if (look := self._stop.look) is not None:
                    look()
                self._find_cause()
                if self._stop.cause is None and _is_in_python_itself(self._thread):
                    self._alarm.interrupt()
            if self._stop.cause is not None and self._stop.wake is not None:
                is_late, was_late = not self._stop.is_awake, is_late
                if was_late and is_late and self._stop.ends_what_is_in_flight:
                    self._alarm.ring(_is_of_the_user)  # whose code holds the loop up
            elif self._stop.ends_what_is_in_flight:
                is_raised = is_raised or self._stop.thread == self._thread or self._alarm.has_rung
                if not is_raised or _waits(self._thread):
                    self._alarm.ring()

    def _find_cause(self) -> None:
        request = None
        with suppress(OSError, DurablyError):  # too many open files: it is there at the next look
            request = self._request()
        if request is not None:
            self._stop.stop(Cancelled(request.by, request.reason))
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            self._stop.stop(AttemptTimedOut(f"its time limit of {span(self._seconds)} is over"))


def _is_in_python_itself(thread: int) -> bool:
    """Is it in a module of the standard library, which goes on with what a signal interrupts?"""
    file = _file_of(thread)
    return file.startswith(_STANDARD) and "-packages" not in file


def _waits(thread: int) -> bool:
    """Is it in a module of Python's that waits for threads, or for an event loop?"""
    return _file_of(thread).startswith(_WAITING)


def _file_of(thread: int) -> str:
    """The file of the code that it executes; empty if it has ended."""
    frame = sys._current_frames().get(thread)
    return "" if frame is None else frame.f_code.co_filename


def _is_of_the_user(frame: FrameType) -> bool:
    """Is it neither of a loop nor of durably? To raise something there leaves its end undone."""
    at: FrameType | None = frame
    while at is not None and at.f_code.co_filename == _SELECTORS:  # `subprocess` waits there too
        at = at.f_back
    return at is not None and not at.f_code.co_filename.startswith((_ASYNCIO, OURS))


_LIBRARY = os.path.dirname(threading.__file__)
_STANDARD = os.path.join(_LIBRARY, "")
_ASYNCIO, _SELECTORS = os.path.join(_LIBRARY, "asyncio", ""), os.path.join(_LIBRARY, "selectors.py")
_WAITING = (
    *(_ASYNCIO, _SELECTORS),
    *(
        os.path.join(_LIBRARY, *each)
        for each in (("threading.py",), ("queue.py",), ("concurrent", ""))
    ),
)
"""Where Python waits for threads, and where it waits for what happens on a loop."""
