"""What a fork has of its origin: the lines of steps, in their order, and the files they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from durably_cli.journal.blobs import BlobDamaged, Blobs, is_blob_reference
from durably_cli.journal.events import RunStarted
from durably_cli.journal.outputs import folder_of, outputs_of
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import (
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


def steps(fd: int, path: Path, state: RunState, *, failures: bool) -> list[Event]:
    """The events of steps that a fork of this run begins with.

    Those of results, with pending decisions, of steps in doubt, and of `failures` that the job
    lived on after, if these are wanted: all of a run that has completed.
    """
    found = _Steps()
    for place, event in enumerate(JournalReader(fd, path, path.stem)):
        found.add(place, event)
    carried = set[str]()
    if failures:
        is_completed = state.status is Status.COMPLETED
        failed = [step.name for step in state.failed_steps]
        carried = set(failed if is_completed else state.carried)
    return found.wanted(carried, {step.name for step in state.in_doubt})


_DISCARDS = (StepDiscarded, StepOutdated)
_OF_STEPS = (StepEntered, StepFailed, StepMarkedDone, *_DISCARDS)


class _Steps:
    """The last events of each step, and where its first start and its first result stood."""

    def __init__(self) -> None:
        self._began, self._ended = dict[str, int](), dict[str, int]()
        self._events: dict[str, dict[type[Event], Event]] = {}
        self._code = ""

    def add(self, place: int, event: Event) -> None:
        """Take up an event of the journal."""
        if isinstance(event, RunStarted):
            self._code = ""
        elif isinstance(event, StepStarted):
            self._code = event.code or self._code
            self._began.setdefault(event.name, place)
            had = self._events.setdefault(event.name, {})
            had[StepStarted] = event._replace(code=self._code)
            had.pop(StepEntered, None)
        elif isinstance(event, StepCompleted):
            self._ended.setdefault(event.name, place)
            had = self._events.setdefault(event.name, {})
            self._events[event.name] = {
                StepStarted: had.get(StepStarted, StepStarted(event.name, event.at)),
                StepCompleted: event,
            }
        elif isinstance(event, _OF_STEPS):
            had = self._events.setdefault(event.name, {})
            if StepCompleted in had or not isinstance(event, _DISCARDS):
                had[type(event)] = event

    def wanted(self, carried: set[str], in_doubt: set[str]) -> list[Event]:
        """The events to begin with, in the order in which the steps first came."""
        found = list[tuple[int, Event]]()
        for name, had in self._events.items():
            began, kinds = self._began.get(name, 0), list[type[Event]]()
            if StepCompleted in had:
                kinds = [StepCompleted, *_DISCARDS]
            elif name in carried:
                kinds = [StepFailed]
            elif name in in_doubt:
                kinds = [StepEntered]
            elif StepMarkedDone not in had:
                continue
            if StepStarted in had and (kinds or name in in_doubt):
                found.append((began, had[StepStarted]))
            ended = self._ended.get(name, began)
            found += [(ended, had[kind]) for kind in (*kinds, StepMarkedDone) if kind in had]
            if StepCompleted in had and name in in_doubt:
                found += [(ended, had[kind]) for kind in (StepStarted, StepEntered) if kind in had]
        found.sort(key=lambda each: each[0])
        return list(_without_repeated_codes(event for _, event in found))


def _without_repeated_codes(events: Iterable[Event]) -> Iterator[Event]:
    """The same as lines have them: a start says its code where the one before it had another."""
    code = ""
    for event in events:
        if isinstance(event, StepStarted):
            is_as_before, code = event.code == code, event.code
            event = event._replace(code="" if is_as_before else code)
        yield event


def linked(origin: Path, path: Path, events: Iterable[Event]) -> Iterator[Event]:
    """The same events for the journal at this path, with what they name as files of that run."""
    there, here = Blobs(origin), Blobs(path)
    for event in events:
        if isinstance(event, (StepCompleted, StepMarkedDone)) and is_blob_reference(event.result):
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
    import json  # few errors are so long

    try:
        found: dict[str, object] = json.loads(here.share(Json(to_json(whole)), there))
    except (BlobDamaged, OSError):
        return {}
    return found
