"""A log in front of a journal, which kills its process before or behind a line."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from threading import Lock
from typing import Any

from durably_cli.cli.crash_test.notes import BEFORE, BEHIND, KillAt, NoteWriter, Orders
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.journal.codec import name_of
from durably_cli.journal.events import RunCompleted, RunHasFailed
from durably_cli.journal.registry import DURABLE, Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepRetrying
from durably_cli.journal.wait_events import SIGNAL, StepWaiting
from durably_cli.journal.writer import Journal
from durably_cli.steps.mail import Sent
from durably_cli.system import clock
from durably_cli.values.strict_json import Json

RESULTS = (StepCompleted, StepFailed, StepRetrying, RunCompleted, RunHasFailed)
"""Before these something has happened that their line is to say: there it pays to kill."""


class Killer:
    """Counts the lines of all journals of this process, and kills it where the orders say."""

    def __init__(self, orders: Orders, notes: NoteWriter) -> None:
        self._place, self._notes = orders.kill_at, notes
        self._process, self._counting, self._count = os.getpid(), Lock(), -1
        self.looks: Callable[[list[str]], object] = lambda in_flight: None
        """Called before and behind each line, with the steps that are in flight."""
        self.in_flight = dict[str, None]()

    def next(self) -> int:
        """The number of the line that comes now."""
        with self._counting:
            self._count += 1
            return self._count

    def may_kill(self, kind: str, number: int) -> None:
        """Kill the process, if this is the place."""
        place = self._place
        if place is not None and (place.kind, place.number) == (kind, number):
            self.kill(place)

    def kill(self, place: KillAt) -> None:
        """End the process, unless it is a child of the one that is tried."""
        if os.getpid() == self._process:
            self._notes.write("killed", place=place)
            os.kill(self._process, signal.SIGKILL)


class DoctoredLog:
    """The journal of a run, and of its child runs another one each."""

    def __init__(
        self, journal: Journal, killer: Killer, notes: NoteWriter, signals: dict[str, str]
    ) -> None:
        self._journal, self._killer, self._notes, self._signals = journal, killer, notes, signals
        created = _first_line(journal)
        self._prefix = f"{created['job']}: " if created.get("parent") else ""
        if journal.mark.lines == 1:
            self._behind(self._killer.next(), "run.created", "")

    def append(self, event: Event) -> None:
        """Add a line."""
        number = self._before(event)
        self._journal.append(event)
        self._written(number, event)

    def write(self, event: Event) -> int:
        """Add a line that may not be on disk yet: a kill of its process loses none of it."""
        number = self._before(event)
        place = self._journal.write(event)
        self._written(number, event)
        return place

    def sync(self, place: int) -> None:
        """Return once all up to this place is durable."""
        self._journal.sync(place)

    def end_with(self, event: Event) -> None:
        """Add the line that ends the attempt."""
        number = self._before(event)
        self._journal.end_with(event)
        self._written(number, event)

    def end(self) -> None:
        """Take nothing more."""
        self._journal.end()

    def _before(self, event: Event) -> int:
        number, killer = self._killer.next(), self._killer
        killer.looks([*killer.in_flight])
        if isinstance(event, RunCompleted) and not self._prefix:
            self._notes.write("output", output=event.output)
        if isinstance(event, RESULTS):
            killer.may_kill(BEFORE, number)
        return number

    def _written(self, number: int, event: Event) -> None:
        step = str(getattr(event, "name", ""))
        step = step and self._prefix + step
        if isinstance(event, StepWaiting) and event.kind == SIGNAL and event.name in self._signals:
            self._send(event.name)
        kind, in_flight = name_of(event), self._killer.in_flight
        if kind in ("step.started", "step.waiting"):
            in_flight[step] = None
        elif kind in ("step.completed", "step.failed"):
            in_flight.pop(step, None)
        self._behind(number, kind, step, is_result=isinstance(event, RESULTS))

    def _behind(self, number: int, kind: str, step: str, *, is_result: bool = False) -> None:
        self._notes.write("line", number=number, type=kind, step=step, is_result=is_result)
        self._killer.looks([*self._killer.in_flight])
        self._killer.may_kill(BEHIND, number)

    def _send(self, name: str) -> None:
        sent = Sent(Json(self._signals[name]), "durably test", clock.now())
        journal = self._journal
        SignalsSent(journal.path).send(name, sent, journal.temporary_folder)


def _first_line(journal: Journal) -> dict[str, Any]:
    with journal.path.open("rb") as file:
        found: dict[str, Any] = json.loads(file.readline())
    return found


assert DURABLE.issuperset(RESULTS)
