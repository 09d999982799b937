"""Where a job can be killed, as an undisturbed run of it has noted, and which of that to try."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from durably_cli.cli.crash_test.notes import BEFORE, BEHIND, INSIDE, KillAt, Notes

_LAST = ("run.completed", "run.failed")


class Asked(NamedTuple):
    """Where a step is asked for, by which method, and the function that it calls, if one."""

    method: str
    call: str
    function: str


class AskedFor(dict[str, Asked]):
    """Of every step that was asked for, by its name."""

    def add(self, notes: Notes) -> None:
        """Take in what one process has noted."""
        for note in notes.of("asked"):
            self[note["step"]] = Asked(note["method"], note["call"], note["function"])

    def of(self, step: str) -> Asked:
        """That of a step: of an item of a map, or a step in one, that of the map, else nothing."""
        name = step if step in self else step.partition(": ")[2] or step
        while name not in self and (cut := max(name.rfind("["), name.rfind("."))) > 0:
            name = name[:cut]
        return self.get(name, Asked("", "", ""))

    def is_of_run(self, step: str) -> bool:
        """Is the step a child run? What that does between its own steps is done in this one."""
        return self.of(step).method == "run_job"

    def family(self, step: str) -> str:
        """What is the same for all steps that one line of code asks for."""
        return self.of(step).call or step


def places_of(notes: Notes) -> list[KillAt]:
    """Each place at which the run of these notes could have been killed, in its order."""
    found = list[KillAt]()
    for note in notes.of("line", "inside"):
        if note["note"] == "inside":
            found.append(KillAt(*note["place"]))
            continue
        number, kind, step = note["number"], note["type"], note["step"]
        if note["is_result"]:
            found.append(KillAt(BEFORE, number, kind, step))
        if kind not in _LAST:  # behind those nothing is left to be resumed
            found.append(KillAt(BEHIND, number, kind, step))
    return found


def drawn_from(places: Sequence[KillAt], asked: AskedFor, limit: int) -> list[KillAt]:
    """So many of them, of each kind and each line of code some, in their order; 0 is all."""
    if not limit or len(places) <= limit:
        return list(places)
    groups: Mapping[Any, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        groups[_group(place, asked)].append(number)
    chosen = set[int]()
    spread = [_spread(each) for each in groups.values()]
    while len(chosen) < limit:
        for each in spread:
            if len(chosen) < limit:
                chosen.update(islice(each, 1))
    return [place for number, place in enumerate(places) if number in chosen]


def _group(place: KillAt, asked: AskedFor) -> tuple[object, ...]:
    if place.what in _LAST:
        return (place.kind,)
    family = asked.family(place.step) if place.step else ""
    return place.kind, place.what, family, place.file, place.line, place.visit


def _spread(numbers: Sequence[int]) -> Iterator[int]:
    """The first one, the last one, one in the middle, then those in the middle of what is left."""
    yield from dict.fromkeys((numbers[0], numbers[-1]))
    gaps = [(0, len(numbers) - 1)]
    while gaps:
        first, last = gaps.pop(0)
        middle = (first + last) // 2
        if middle not in (first, last):
            yield numbers[middle]
            gaps += [(first, middle), (middle, last)]


def only_first_of_family(places: Sequence[KillAt], asked: AskedFor) -> list[KillAt]:
    """Inside of functions it is killed in the first step that one line of code asks for."""
    first = dict[str, str]()
    for place in places:
        if place.kind == INSIDE:
            first.setdefault(asked.family(place.step), place.step)
    return [
        place
        for place in places
        if place.kind != INSIDE or first[asked.family(place.step)] == place.step
    ]
