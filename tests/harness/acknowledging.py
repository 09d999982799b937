"""What the system calls of a process with many threads say of what it might acknowledge, and when.

A step's result is on disk once a sync that began behind its write has returned. Only then is it
handed to the handler, and only behind the line of its start is its function called. A sync that
has failed is the last one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.harness.system_calls import WRITES


class Acknowledging:
    """The calls of a `SideBySide`, followed in the order in which they were noted.

    AssertionError for one that comes too early.
    """

    def __init__(self, log: Path, effects: Path) -> None:
        self._effects = str(effects)
        self._going_on = dict[int, list[str]]()
        """The calls that have not returned, by their numbers."""
        self._bytes = dict[str, str]()
        self._started, self._written, self._durable = set[str](), set[str](), set[str]()
        self._at_begin = dict[int, set[str]]()
        """The steps whose results were written when a sync began."""
        self._executions = list[int]()
        self.results = 0
        """How many calls there were that write a result to a journal."""
        for number, *words in map(json.loads, log.read_text().splitlines()):
            if len(words) == 1:
                self._returned(number, words[0], *self._going_on.pop(number))
            else:
                self._going_on[number] = words
                self._called(number, *words)

    @property
    def syncs(self) -> int:
        """How many there were of journals."""
        return len(self._at_begin)

    @property
    def executed_behind_failure(self) -> int:
        """How many functions were called behind a sync that did not succeed."""
        failed = self._at_begin.keys() & self._going_on.keys()
        return sum(number > min(failed) for number in self._executions) if failed else 0

    def _called(self, number: int, name: str, file: str, target: str, data: str) -> None:
        if name == "fdatasync" and ".jsonl" in file:
            failed = self._at_begin.keys() & self._going_on.keys()
            assert not failed, "synced again behind a sync that has failed"
            self._at_begin[number] = set(self._written)
        elif name in WRITES and ".jsonl" in file:
            self.results += '"type":"step.completed"' in data
        elif name in WRITES and file == self._effects:
            what, step, *_ = data.split()
            if what == "run":
                assert step in self._started, f"{step} is executed unannounced"
                self._executions.append(number)
            elif what == "ack":
                assert step in self._durable, f"{step} was acknowledged, and is not on disk"

    def _returned(
        self, number: int, gave: int, name: str, file: str, target: str, data: str
    ) -> None:
        if number in self._at_begin:
            self._durable |= self._at_begin[number]
        elif name in WRITES and ".jsonl" in file:
            *lines, rest = (self._bytes.get(file, "") + data[:gave]).split("\n")
            self._bytes[file] = rest
            for line in map(json.loads, lines):
                if line["type"] == "step.started":
                    self._started.add(name_in(line))
                elif line["type"] == "step.completed":
                    self._written.add(name_in(line))


def name_in(line: dict[str, Any]) -> str:
    """The whole name of the step that a line is of."""
    name: str = line["name"]
    if "map" in line:
        return f"{line['map'][0]}[{name}]"
    if "scope" in line:
        of, (item,) = line["scope"]
        return f"{of}[{item}].{name}"
    return name
