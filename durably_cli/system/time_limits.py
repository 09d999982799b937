"""Calling a function for no longer than so many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from durably_cli.errors import Abort
from durably_cli.system.alarms import Alarm, alarm

_AGAIN_SECONDS = 1.0


class OutOfTime(BaseException):
    """Raised inside a function that takes too long; not an Exception, so that it is let through."""


def call_within(seconds: float, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """What the function returns. OutOfTime if it has not ended by itself within the time.

    It is interrupted then, and again each second until it ends: so no two calls overlap. What it
    returns or raises after that does not count, for it may have swallowed the interruption.
    """
    bell, has_ended = alarm(OutOfTime()), Event()
    watching = Thread(target=_ring_after, args=(seconds, bell, has_ended), daemon=True)
    end = time.monotonic() + seconds
    try:
        bell.set()
        watching.start()
        try:
            value = fn(*args)
        finally:
            has_ended.set()
            bell.end()
    except BaseException as error:
        is_stop = isinstance(error, (Abort, KeyboardInterrupt, OutOfTime))
        if time.monotonic() >= end and not is_stop:
            raise OutOfTime from error
        raise
    if time.monotonic() >= end:
        raise OutOfTime
    return value


def _ring_after(seconds: float, bell: Alarm, has_ended: Event) -> None:
    if has_ended.wait(seconds):
        return
    bell.ring()
    while not has_ended.wait(_AGAIN_SECONDS):
        bell.ring()
