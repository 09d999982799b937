"""What a fork has of its origin: the events of steps, in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from typing import TypeAlias

from durably_cli.engines.order import Places
from durably_cli.journal.events import RunForked, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import (
    NO_CODE,
    MapStarted,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepStarted,
)

_DISCARDS = (StepDiscarded, StepOutdated)
_OTHERS = (StepFailed, StepMarkedDone, *_DISCARDS)


Start: TypeAlias = StepStarted | MapStarted


class StepsOfOrigin:
    """The last events of each step of a run, and in which order the steps came."""

    def __init__(self) -> None:
        self._places = Places()
        self._keys = dict[str, tuple[str, int]]()
        """Of steps that were in doubt when this run was forked itself: the run, and the number."""
        self._discards = Counter[str]()
        self._starts, self._codes = dict[str, Start](), dict[str, str]()
        self._entered = dict[str, StepEntered]()
        """Of steps whose last start has one."""
        self._results = dict[str, tuple[Start | None, StepCompleted]]()
        self._behind = dict[str, list[Event]]()
        """What stands behind a step's last result, if it has one: whether that counts, and then the
        last word.
        """

    def noting(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass the events of the journal on, and note what they say of steps."""
        code = NO_CODE
        for place, event in enumerate(events):
            self._places.note(place, event)
            if isinstance(event, (StepStarted, MapStarted)):
                name = event.name
                if isinstance(event, StepStarted):
                    code = event.code or code
                self._starts[name], self._codes[name] = event, code
                if self._entered:
                    self._entered.pop(name, None)
                if name in self._behind:
                    self._behind[name] = self._discards_of(name)
            elif isinstance(event, StepCompleted):
                self._results[event.name] = self._starts.get(event.name), event
                self._behind.pop(event.name, None)
            elif isinstance(event, _OTHERS):
                if isinstance(event, _DISCARDS):
                    self._count(event)
                self._behind[event.name] = self._discards_of(event.name)
                if event.name in self._results or not isinstance(event, _DISCARDS):
                    self._behind[event.name].append(event)
            elif isinstance(event, StepEntered):
                self._entered[event.name] = event
            elif isinstance(event, RunStarted):
                code = NO_CODE
            elif isinstance(event, RunForked):
                for name, (run, number) in event.keys.items():
                    self._keys[name], self._discards[name] = (str(run), int(number)), int(number)
            yield event

    @property
    def names(self) -> Collection[str]:
        """Those of all steps that were begun, or have a result."""
        return dict.fromkeys((*self._places.began, *self._places.completed))

    def result_of(self, name: str) -> StepCompleted | None:
        """A step's result, if it has one that counts."""
        if name not in self._results or self._discards_of(name):
            return None
        return self._results[name][1]

    def keys_of(self, state: RunState) -> dict[str, list[str | int]]:
        """Of steps that may have happened: what their requests and rows were made with before."""
        run = state.created.run
        return {
            step.name: [self._keys.get(step.name, (run,))[0], self._discards[step.name]]
            for step in state.may_have_happened
        }

    def _count(self, event: StepDiscarded | StepOutdated) -> None:
        """One more result, or what may be one in a database, counts no more."""
        has_result = self.result_of(event.name) is not None
        if has_result or isinstance(event, StepOutdated):
            self._discards[event.name] += 1
        if has_result:
            self._keys.pop(event.name, None)

    def _discards_of(self, name: str) -> list[Event]:
        return [each for each in self._behind.get(name, ()) if isinstance(each, _DISCARDS)]

    def of_a_fork(
        self, state: RunState, *, failures: bool, items: Collection[str] = ()
    ) -> list[Event]:
        """The events that a fork of this run begins with, in the order in which steps first came.

        Those of results, with pending decisions, of steps that may have happened, of `failures`
        that the job lived on after, if these are wanted, all of a run that has completed, and of
        the failures of these items.
        """
        carried = set(items)
        if failures:
            is_completed = state.status is Status.COMPLETED
            failed = [step.name for step in state.failed_steps]
            carried |= set(failed if is_completed else state.carried)
        found = list[tuple[int, Event]]()
        began, completed = self._places.began, self._places.completed
        for name, (start, result) in self._results.items():
            if start is not None:
                found.append((began[name], start))
                if name in self._entered and start is self._starts[name]:
                    found.append((began[name], self._entered[name]))
            found.append((completed[name], result))
        for name in self._behind:
            found += self._of_no_result(name, is_carried=name in carried)
        for step in state.may_have_happened:
            found += self._begin_of(step.name)
        found.sort(key=itemgetter(0))
        return list(self._with_codes(event for _, event in found))

    def _of_no_result(self, name: str, *, is_carried: bool) -> Iterator[tuple[int, Event]]:
        """What was decided of a step, or its failure."""
        place = self._place_of(name)
        was_marked = any(isinstance(each, StepMarkedDone) for each in self._behind[name])
        if (is_carried or was_marked) and name not in self._results and name in self._starts:
            yield from self._begin_of(name)
        for event in self._behind[name]:
            if is_carried or not isinstance(event, StepFailed):
                yield place, event

    def _begin_of(self, name: str) -> Iterator[tuple[int, Event]]:
        """Its last start, and what that says of a doubt."""
        place = self._place_of(name)
        yield place, self._starts[name]
        if name in self._entered:
            yield place, self._entered[name]

    def _place_of(self, name: str) -> int:
        """Where a step without a result stands: where it had one, else where it began."""
        return self._places.completed.get(name, self._places.began.get(name, 0))

    def _with_codes(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same as lines have them: a start says its code if the one before had another."""
        before = NO_CODE
        for event in events:
            if isinstance(event, StepStarted):
                code = self._codes[event.name]
                said = "" if code == before else code
                before = code
                if event.code != said:
                    event = event._replace(code=said)
            yield event
