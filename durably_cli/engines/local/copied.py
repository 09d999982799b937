"""What a fork has of its origin: the lines of steps, in their order, and the files they name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from pathlib import Path

from durably_cli.journal.blobs import BlobDamaged, Blobs, is_blob_reference
from durably_cli.journal.events import RunStarted
from durably_cli.journal.outputs import folder_of, outputs_of
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import (
    NO_CODE,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepStarted,
)
from durably_cli.system import files
from durably_cli.values.strict_json import Json, to_json

_DISCARDS = (StepDiscarded, StepOutdated)
_OTHERS = (StepFailed, StepMarkedDone, *_DISCARDS)


class Steps:
    """The last events of each step, and where its first start and its first result stood."""

    def __init__(self) -> None:
        self._began, self._ended = dict[str, int](), dict[str, int]()
        self._starts, self._codes = dict[str, StepStarted](), dict[str, str]()
        self._entered = dict[str, StepEntered]()
        """Of steps whose last start has one."""
        self._results = dict[str, StepCompleted]()
        self._behind = dict[str, list[Event]]()
        """What stands behind a step's last result, if it has one: whether that counts, and then the
        last word.
        """

    def noting(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass the events of the journal on, and note what they say of steps."""
        code = NO_CODE
        for place, event in enumerate(events):
            if isinstance(event, StepStarted):
                name, code = event.name, event.code or code
                self._began.setdefault(name, place)
                self._starts[name], self._codes[name] = event, code
                if self._entered:
                    self._entered.pop(name, None)
                if name in self._behind:
                    self._behind[name] = self._discards_of(name)
            elif isinstance(event, StepCompleted):
                self._ended.setdefault(event.name, place)
                self._results[event.name] = event
                self._behind.pop(event.name, None)
            elif isinstance(event, _OTHERS):
                self._behind[event.name] = self._discards_of(event.name)
                if event.name in self._results or not isinstance(event, _DISCARDS):
                    self._behind[event.name].append(event)
            elif isinstance(event, StepEntered):
                self._entered[event.name] = event
            elif isinstance(event, RunStarted):
                code = NO_CODE
            yield event

    @property
    def names(self) -> Collection[str]:
        """Those of all steps that were begun, or have a result."""
        return dict.fromkeys((*self._began, *self._ended))

    def result_of(self, name: str) -> StepCompleted | None:
        """A step's result, if it has one that counts."""
        return None if self._discards_of(name) else self._results.get(name)

    def _discards_of(self, name: str) -> list[Event]:
        return [each for each in self._behind.get(name, ()) if isinstance(each, _DISCARDS)]

    def of_a_fork(self, state: RunState, *, failures: bool) -> list[Event]:
        """The events that a fork of this run begins with, in the order in which steps first came.

        Those of results, with pending decisions, of steps in doubt, and of `failures` that the job
        lived on after, if these are wanted: all of a run that has completed.
        """
        carried = set[str]()
        if failures:
            is_completed = state.status is Status.COMPLETED
            failed = [step.name for step in state.failed_steps]
            carried = set(failed if is_completed else state.carried)
        found = list[tuple[int, Event]]()
        for name, result in self._results.items():
            if name in self._starts:
                found.append((self._began[name], self._starts[name]))
            if name in self._entered:
                found.append((self._began[name], self._entered[name]))
            found.append((self._ended[name], result))
        for name in self._behind:
            found += self._of_no_result(name, is_carried=name in carried)
        for step in state.in_doubt:
            found += self._in_doubt(step.name)
        found.sort(key=itemgetter(0))
        return list(self._with_codes(event for _, event in found))

    def _of_no_result(self, name: str, *, is_carried: bool) -> Iterator[tuple[int, Event]]:
        """What was decided of a step, or its failure."""
        place = self._ended.get(name, self._began.get(name, 0))
        if is_carried and name not in self._results and name in self._starts:
            yield self._began[name], self._starts[name]
        for event in self._behind[name]:
            if is_carried or not isinstance(event, StepFailed):
                yield place, event

    def _in_doubt(self, name: str) -> Iterator[tuple[int, Event]]:
        place = self._ended.get(name, self._began[name])
        yield place, self._starts[name]
        if name in self._entered:
            yield place, self._entered[name]

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


def linked(origin: Path, path: Path, events: Iterable[Event]) -> Iterator[Event]:
    """The same events for the journal at this path, with what they name as files of that run."""
    there, here = Blobs(origin), Blobs(path)
    for event in events:
        if isinstance(event, (StepCompleted, StepMarkedDone)):
            if is_blob_reference(event.result):
                event = event._replace(result=here.share(event.result, there))
        elif isinstance(event, StepFailed) and event.whole:
            event = event._replace(whole=_shared(event.whole, here, there))
        yield event
    outputs = outputs_of(origin)
    if outputs:
        files.make_folder(folder_of(path))
        for output in outputs:
            files.link_or_copy(output, folder_of(path) / output.name)
        files.sync_folder(folder_of(path))
    if here.folder.exists():
        files.sync_folder(here.folder)


def _shared(whole: dict[str, object], here: Blobs, there: Blobs) -> dict[str, object]:
    """The reference to all of an error; none if its file is lost, which is no reason to stop."""
    try:
        found: dict[str, object] = json.loads(here.share(Json(to_json(whole)), there))
    except (BlobDamaged, OSError):
        return {}
    return found
