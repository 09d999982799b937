"""Which events there are: `@event` on a class is all that one takes.

How it is written, read and synced follows from the class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, SupportsIndex, TypeVar


class Event(Protocol):
    """One line of a journal: of a class that `@event` has registered."""

    @property
    def at(self) -> str:
        """When it happened."""

    def __getitem__(self, place: SupportsIndex, /) -> Any:
        """The field at this place."""


E = TypeVar("E", bound=Event)

TYPES: dict[str, type[Event]] = {}
"""Every event by the name that its line has."""

DURABLE = set[type[Event]]()
"""Synced to disk before durably goes on; all else is written, and synced with the next of these."""

OF_NO_ATTEMPT = set[type[Event]]()
"""What no attempt reports of itself: it says nothing of how long the last one lived."""


def event(
    name: str, *, durable: bool = False, of_attempt: bool = True
) -> Callable[[type[E]], type[E]]:
    """Register a class of events under the name that its line has."""

    def register(cls: type[E]) -> type[E]:
        TYPES[name] = cls
        if durable:
            DURABLE.add(cls)
        if not of_attempt:
            OF_NO_ATTEMPT.add(cls)
        return cls

    return register
