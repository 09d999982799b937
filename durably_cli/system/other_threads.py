"""Which threads beside the main one an exception may be raised in, and when not."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


class _Watched:
    """How deep such a thread is in shielded functions, and who may raise something in it."""

    def __init__(self, take_back: Callable[[], None]) -> None:
        self.take_back = take_back
        self.depth = 0
        self.by = list[object]()


_watched: dict[int, _Watched] = {}
_changing = Lock()


def is_watched(thread: int, by: object = None) -> bool:
    """May something be raised in this thread, by that one?"""
    found = _watched.get(thread)
    return found is not None and (by is None or by in found.by)


def watch(thread: int, by: object, take_back: Callable[[], None]) -> None:
    """It may raise something in this thread from now on; `take_back` what it has not got yet."""
    _watched.setdefault(thread, _Watched(take_back)).by.append(by)


def unwatch(thread: int, by: object) -> None:
    """It raises nothing any more in this thread, which is the one that calls."""
    with _changing:
        found = _watched[thread]
        found.take_back()
        found.by.remove(by)
        if not found.by:
            del _watched[thread]


def unless_shielded(thread: int, by: object, raise_there: Callable[[], None]) -> None:
    """Call this if the thread is watched by that one, and in no shielded function."""
    with _changing:
        found = _watched.get(thread)
        if found is not None and by in found.by and not found.depth:
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
