"""What is printed of a log line: the journal has that line already, and takes it no second time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Local(threading.local):
    is_echo = False


_local = _Local()


def is_echo() -> bool:
    """Is what this thread prints or logs now in the run's log already?"""
    return _local.is_echo


@contextmanager
def echo() -> Iterator[None]:
    """Inside, what this thread prints or logs is in the run's log already."""
    before, _local.is_echo = _local.is_echo, True
    try:
        yield
    finally:
        _local.is_echo = before
