"""In which order the steps of a run came: which of them began after another one had completed.

It is read off the journal when somebody asks, which is seldom. The first start and the first result
of a step count: to be executed again does not move it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from durably_cli.errors import DurablyError, JournalLost
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.steps.operation import Later
from durably_cli.system import files


class JournalOrder:
    """The order of the steps in the journal at this path. JournalLost if it cannot be read."""

    def __init__(self, journal: Path) -> None:
        self._path = journal

    def later(self, name: str) -> Iterator[Later]:
        """The steps that began after this one had completed, and how long each took."""
        began, completed, took = self._places
        behind = completed.get(name)
        if behind is not None:
            for each, start in began.items():
                if start > behind:
                    yield Later(each, took.get(each, 0))

    def milliseconds(self, name: str) -> int:
        """How long a step took that has completed."""
        return self._places[2].get(name, 0)

    @cached_property
    def _places(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """By step: where it began, where it completed, and how many milliseconds it took."""
        began, completed, took = dict[str, int](), dict[str, int](), dict[str, int]()
        try:
            fd = files.open_existing(self._path)
            try:
                for place, event in enumerate(JournalReader(fd, self._path, self._path.stem)):
                    if isinstance(event, StepStarted):
                        began.setdefault(event.name, place)
                    elif isinstance(event, StepCompleted):
                        completed.setdefault(event.name, place)
                        took[event.name] = event.ms
                    elif isinstance(event, StepFailed):
                        took[event.name] = event.ms
            finally:
                os.close(fd)
        except (DurablyError, OSError) as error:
            raise JournalLost(f"the order of the steps cannot be read: {error}") from error
        return began, completed, took
