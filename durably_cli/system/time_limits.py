"""Calling a function for no longer than so many seconds."""

from __future__ import annotations

import time
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Callable
from typing import Any

from durably_cli.errors import Abort
from durably_cli.system.alarms import Alarm, alarm
from durably_cli.system.process import this

_AGAIN_SECONDS, _SOON_SECONDS = 1.0, 0.02
"""When an interruption is repeated: behind one that was raised, and one that a shield held off."""

# Not `threading`: what is raised inside its locks, which Python code holds, would leave them held.


class OutOfTime(Abort, KeyboardInterrupt):
    """Raised inside a function that takes too long, and all that it calls, runs of jobs too.

    It is a Ctrl-C, which event loops pass on.
    """

    def __init__(self) -> None:
        super().__init__("out of time")


class TookTooLong(BaseException):
    """What comes of a call that has taken longer than its own time."""


def call_within(seconds: float, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """What the function returns. TookTooLong if it has not ended by itself within the time.

    It is interrupted then, and again each second until it ends: so no two calls overlap. What it
    returns or raises after that does not count, for it may have swallowed the interruption. A
    process that it forks has no such limit.
    """
    bell, running, owner = alarm(OutOfTime()), allocate_lock(), this.pid
    running.acquire()
    end = time.monotonic() + seconds
    try:
        start_new_thread(_ring_after, (seconds, bell, running))
        bell.set()
        try:
            value = fn(*args)
        finally:
            bell.end()
    except BaseException as error:
        bell.end()  # what rang may have been raised in front of the first one
        running.release()
        is_stop = isinstance(error, (Abort, KeyboardInterrupt)) and type(error) is not OutOfTime
        if time.monotonic() >= end and this.pid == owner and not is_stop:
            raise TookTooLong().with_traceback(error.__traceback__) from error
        raise
    running.release()
    if time.monotonic() >= end and this.pid == owner:
        raise TookTooLong
    return value


def _ring_after(seconds: float, bell: Alarm, running: LockType) -> None:
    """Ring again and again from then on; a function that is running has this lock."""
    if running.acquire(timeout=seconds):
        return
    pause = 0.0
    while not running.acquire(timeout=pause):
        if bell.has_rung:
            bell.has_rung, pause = False, _AGAIN_SECONDS
        else:
            bell.ring()
            pause = _SOON_SECONDS
