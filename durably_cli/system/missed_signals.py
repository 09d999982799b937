"""The main thread handles a signal even if it begins to wait just as that arrives.

Python looks for signals between two bytecodes. One that arrives after that look, and before the
thread is asleep in the kernel, is handled when the thread wakes up, which may be in hours. So is
one that another thread gets. Here a thread hears of each signal, and interrupts the wait.
"""

from __future__ import annotations

import os
import signal
import time
from _thread import start_new_thread
from collections.abc import Callable, Collection
from contextlib import suppress
from threading import get_ident
from types import FrameType

from durably_cli.system.descriptors import with_high_number

INTERRUPTS = signal.SIGURG
"""Nobody else wants it, and as it is ignored by default, one that comes late does no harm."""

_SECONDS, _MOST_SECONDS = 0.01, 0.25


class _End:
    """An end of a pipe, which a job may close, and use its number for something else."""

    def __init__(self, low: int) -> None:
        self.fd = with_high_number(low)
        os.close(low)
        self._is = os.fstat(self.fd)

    def is_ours(self) -> bool:
        """Is it still what it was?"""
        try:
            return os.path.samestat(self._is, os.fstat(self.fd))
        except OSError:
            return False

    def close(self) -> None:
        """Close it, and nothing else."""
        if self.is_ours():
            os.close(self.fd)


class _Hearing:
    """The end of the pipe that Python writes each signal's number to, while somebody listens."""

    at: _End | None = None


_hearing = _Hearing()


def hear(signums: Collection[int], is_handled: Callable[[], bool]) -> None:
    """From now on the main thread, which calls this, handles these signals wherever it waits.

    It is interrupted until one of them `is_handled`.
    """
    if _hearing.at is not None:
        return
    try:
        reading, writing = map(_End, os.pipe())
    except OSError:  # no more files may be open, and a missed signal is rare
        return
    os.set_blocking(writing.fd, False)
    if signal.getsignal(INTERRUPTS) is signal.SIG_DFL:
        signal.signal(INTERRUPTS, _wake_up)
    signal.set_wakeup_fd(writing.fd, warn_on_full_buffer=False)
    _hearing.at = writing
    start_new_thread(_interrupt, (reading, writing, get_ident(), frozenset(signums), is_handled))


def hear_no_more() -> None:
    """Leave the main thread in peace."""
    if _hearing.at is None:
        return
    writing, _hearing.at = _hearing.at, None
    with suppress(ValueError, OSError):
        if (others := signal.set_wakeup_fd(-1)) not in (-1, writing.fd):
            signal.set_wakeup_fd(others)  # an event loop's
    if signal.getsignal(INTERRUPTS) is _wake_up:
        signal.signal(INTERRUPTS, signal.SIG_DFL)
    writing.close()


os.register_at_fork(after_in_child=hear_no_more)


def _wake_up(signum: int, frame: FrameType | None) -> None:
    """That the thread is interrupted is all that is wanted."""


def _interrupt(
    reading: _End,
    writing: _End,
    thread: int,
    signums: frozenset[int],
    is_handled: Callable[[], bool],
) -> None:
    """The thread: until the other end of the pipe is closed."""
    try:
        while reading.is_ours() and (heard := os.read(reading.fd, 64)):
            pause, is_over = _SECONDS, signums.isdisjoint(heard)
            while not is_over and _hearing.at is writing:
                time.sleep(pause)
                signal.pthread_kill(thread, INTERRUPTS)
                pause, is_over = min(2 * pause, _MOST_SECONDS), is_handled()
    finally:
        reading.close()
