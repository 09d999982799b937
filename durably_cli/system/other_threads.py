"""Which threads beside the main one an exception may be raised in, and when not."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


class _Watched:
    """How deep such a thread is in shielded functions, and how to take back what is not raised."""

    def __init__(self, take_back: Callable[[], None]) -> None:
        self.take_back = take_back
        self.depth = 0


_watched: dict[int, _Watched] = {}
_changing = Lock()


def is_watched(thread: int) -> bool:
    """May something be raised in this thread?"""
    return thread in _watched


def watch(thread: int, take_back: Callable[[], None]) -> None:
    """Something may be raised in this thread from now on; `take_back` what it has not got yet."""
    _watched[thread] = _Watched(take_back)


def unwatch(thread: int) -> None:
    """Nothing is raised in this thread any more, which is the one that calls."""
    with _changing:
        _watched[thread].take_back()
        del _watched[thread]


def unless_shielded(thread: int, raise_there: Callable[[], None]) -> None:
    """Call this if the thread is watched, and in no shielded function."""
    with _changing:
        found = _watched.get(thread)
        if found is not None and not found.depth:
            raise_there()


def act_shielded(thread: int, act: Callable[[*Ts], R], *args: *Ts) -> R:
    """Call a function in such a thread, with nothing raised inside."""
    watched = _watched[thread]
    before = watched.depth
    try:
        with _changing:
            watched.depth = before + 1
            watched.take_back()
        return act(*args)
    finally:
        watched.depth = before
