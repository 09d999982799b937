"""Events as they stand in the database: lines of a journal, each by its attempt and its place.

A DBOS step has the durable events that one sync has brought: `{"attempt":1,"lines":[...]}`. What
each line's `seq` says is its place in the attempt; its checksum begins from nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from durably_cli.journal import codec
from durably_cli.journal.events import Unknown
from durably_cli.journal.registry import Event

_LONGEST_NAME = 200


class Placed(NamedTuple):
    """An event, and where it stands in its run."""

    attempt: int
    place: int
    event: Event


def line_at(place: int, event: Event) -> str:
    """The line of an event. ValueError or TypeError if there is none."""
    return codec.line_of(place, event, 0)[0].decode("ascii").removesuffix("\n")


def event_in(line: str) -> tuple[int, Event]:
    """The place and the event of a line. BadLine if it was changed."""
    place = int(line[len('{"seq":') : line.index(",")])
    return place, codec.decode(line.encode("ascii"), place, 0)[0]


def fitting_name(name: str) -> str:
    """A name as a row, and its index, can have it: as it is, if that may be."""
    if len(name) <= _LONGEST_NAME and "\0" not in name:
        return name
    return "sha256:" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def step_of(attempt: int, lines: list[str]) -> str:
    """What a DBOS step returns that has these lines."""
    return json.dumps({"attempt": attempt, "lines": lines}, separators=(",", ":"))


def placed_in(output: str | None) -> Iterator[Placed]:
    """The events of a DBOS step, as its row has them; none of a step that is not durably's."""
    found = json.loads(json.loads(output)) if output else {}
    for line in found.get("lines", ()):
        yield Placed(found["attempt"], *event_in(line))


class JournalLines:
    """The lines of the journal that events would make, one behind the other."""

    def __init__(self, run_id: str) -> None:
        self._seq, self._crc = 0, codec.seed(run_id)

    def line_of(self, event: Event) -> bytes:
        """That of this one, which comes next, without its newline."""
        seq, self._seq = self._seq, self._seq + 1
        if isinstance(event, Unknown):  # as it was written, by a newer durably
            return event.line.encode("ascii")
        data, self._crc = codec.encode(seq, event, self._crc)
        return data.removesuffix(b"\n")


def as_journal(run_id: str, events: Iterable[Event]) -> Iterator[tuple[bytes, Event]]:
    """All of them, each with its event."""
    lines = JournalLines(run_id)
    return ((lines.line_of(event), event) for event in events)
