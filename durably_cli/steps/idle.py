"""Whether a handler does nothing now but wait, so that no process has to sit by it.

Of each step that may wait stands here how to ask it until when: a wait knows that by itself, a map
asks its threads, a run that is a step asks its own handler. The answer is that of the moment, and
nothing is remembered: what has gone on since would be taken for idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import NamedTuple, TypeAlias

Until: TypeAlias = Callable[[], str | None]
"""When the first wait is over, in UTC; None if something is done now."""

ITEMS_SAY = ""
"""The answer of a map that does nothing but wait: until when, the steps of its items say."""


class _Waiting(NamedTuple):
    thread: int
    until: Until


class Idle:
    """The steps of a handler that may wait, among those `in_flight`."""

    def __init__(self, in_flight: Mapping[str, None]) -> None:
        self._in_flight = in_flight
        self._steps: dict[str, _Waiting] = {}

    @contextmanager
    def step(self, name: str, until: Until) -> Iterator[None]:
        """Inside, this step, which this thread is in, may do nothing but wait."""
        self._steps[name] = _Waiting(get_ident(), until)
        try:
            yield
        finally:
            self._steps.pop(name, None)

    @property
    def threads(self) -> set[int]:
        """The threads that are in such steps."""
        return {each.thread for each in [*self._steps.values()]}

    def until(self) -> str | None:
        """When the first wait is over, if there is one, and each step in flight waits."""
        names = [*self._in_flight]  # first: what goes on meanwhile is then in this, and waits not
        steps = {**self._steps}
        found = [steps[name].until() if name in steps else None for name in names]
        return None if None in found else min(filter(None, found), default=None)
