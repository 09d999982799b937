"""In which order the steps of a run came: which of them began after another one had completed.

It is read off the run's events when somebody asks, which is seldom. What led to the first result of
a step counts: to be executed again does not move it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from operator import itemgetter

from durably_cli.errors import DurablyError, JournalLost
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepFailed, StepStarted
from durably_cli.journal.step_names import map_of, scope_of, scopes_of
from durably_cli.steps.operation import Later


class Places:
    """Where each step began and completed first, and how many milliseconds it took last.

    It began with the start that led to its first result: what failed before that used nothing.
    """

    def __init__(self) -> None:
        self.began, self.completed = dict[str, int](), dict[str, int]()
        self._first = dict[str, int]()
        self.took = dict[str, int]()

    def place_of(self, name: str) -> int:
        """Where a step came first."""
        return self._first.get(name, self.completed.get(name, 0))

    def note(self, place: int, event: Event) -> None:
        """Take up the event at this place of the journal."""
        if isinstance(event, (StepStarted, MapStarted)):
            self._first.setdefault(event.name, place)
            if event.name not in self.completed:
                self.began[event.name] = place
        elif isinstance(event, StepCompleted):
            self.completed.setdefault(event.name, place)
            self.took[event.name] = event.ms
        elif isinstance(event, StepFailed):
            self.took[event.name] = event.ms


class OrderRead:
    """The order of the steps in these events. JournalLost if they cannot be read."""

    def __init__(self, events: Callable[[], Iterable[Event]]) -> None:
        self._events = events
        self._named: int | None = None
        """From which place on every step was named as a later one."""

    def later(self, name: str) -> Iterator[Later]:
        """The steps that began after this one had completed, the last one first.

        Of an item of a map these are the ones behind the map, for its siblings have seen nothing of
        it; of a step in such an item, besides those behind it in there. Each is named once: what is
        executed again by then is no older than this.
        """
        maps = [of for each in (name, *scopes_of(name)) if (of := map_of(each)) is not None]
        if maps:
            yield from self._later_than_item(name, maps)
            return
        behind = self._places.completed.get(name)
        if behind is None:
            return
        begin = bisect_right(self._starts, behind, key=itemgetter(0))
        end = len(self._starts)
        if self._named is not None:
            end = bisect_right(self._starts, self._named, key=itemgetter(0))
        for _, each in reversed(self._starts[begin:end]):
            yield Later(each, self._places.took.get(each, 0))
        self._named = behind if self._named is None else min(behind, self._named)

    def _later_than_item(self, name: str, maps: list[str]) -> Iterator[Later]:
        behind, scope = self._places.completed.get(name), scope_of(name)
        is_item = map_of(name) is not None
        ends = {of: self._places.completed.get(of) for of in maps}
        for began, each in reversed(self._starts):
            around = [each, *scopes_of(each)]
            shared = next((of for of in maps if of in around), None)
            nearest = maps.index(shared) if shared is not None else len(maps)
            if nearest == 0 and (is_item or scope not in around):
                continue  # a sibling, or of one
            end = behind if nearest == 0 else ends[maps[nearest - 1]]
            if end is not None and began > end:
                yield Later(each, self._places.took.get(each, 0))

    def names(self) -> Iterator[str]:
        """The names of all steps that were begun or have completed."""
        yield from {**self._places.began, **self._places.completed}

    def milliseconds(self, name: str) -> int:
        """How long a step took that has completed."""
        return self._places.took.get(name, 0)

    @cached_property
    def _starts(self) -> list[tuple[int, str]]:
        """Where the steps began, in order."""
        return sorted((place, name) for name, place in self._places.began.items())

    @cached_property
    def _places(self) -> Places:
        places = Places()
        try:
            for place, event in enumerate(self._events()):
                places.note(place, event)
        except (DurablyError, OSError) as error:
            raise JournalLost(f"the order of the steps cannot be read: {error}") from error
        return places
