"""Programs of a run that live although nobody supervises them any more: found by their mark.

Linux shows the variables that a process was started with. Elsewhere none are found; nor is one that
was started without them, or has written over them, unless what started it lives.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from durably_cli.system.ending import Ending
from durably_cli.system.process_table import (
    SUPERVISOR_OF,
    below,
    contents_of,
    has_mark,
    living,
    processes,
)

_LOOKS_SECONDS = 0.02


class Leftover(NamedTuple):
    """A process that lives, and its command line."""

    pid: int
    command: str


def processes_with(mark: str, *, is_whole: bool = True) -> list[Leftover]:
    """The processes with this mark, or one that begins so, and those that come from them."""
    return _leftovers(_found(mark, is_whole=is_whole))


def end_processes_with(mark: str, *, is_whole: bool = True) -> list[Leftover]:
    """End them: TERM, after 5 seconds KILL. Those that cannot be ended."""
    ending = Ending()
    while (left := _found(mark, is_whole=is_whole)) and not ending.is_late:
        ending.press(left)
        time.sleep(_LOOKS_SECONDS)
    return _leftovers(left)


def end_unsupervised(mark: str, *, is_asked_only: bool) -> None:
    """End programs with this mark, or below it, that no supervisor which lives has below it.

    If it `is_asked_only`, each gets TERM and none is waited for.
    """
    ending = Ending()
    while not ending.is_late:
        found = _found(f"{mark}/", is_whole=False)
        others = {pid for pid, _ in supervised(mark)}  # behind that: those may start more
        left = {pid: parent for pid, parent in found.items() if pid not in others}
        ending.press(left)
        if is_asked_only or not left:
            return
        time.sleep(_LOOKS_SECONDS)


def supervised(mark: str) -> list[Leftover]:
    """What is below the supervisors that live of programs with this mark, or one below it."""
    roots, there = {each.pid for each in supervisors(mark)}, processes()
    return _leftovers(living(below(roots, there) - roots, there))


def supervisors(mark: str) -> list[Leftover]:
    """The supervisors that live of programs with this mark, or one below it."""
    name = f"{SUPERVISOR_OF}{mark}".encode()
    return _leftovers(pid for pid in processes() if _last_word(pid).partition(b"/")[0] == name)


def _found(mark: str, *, is_whole: bool) -> dict[int, int]:
    """The processes, and whose child each is."""
    for _ in range(2):  # one that executes another file has no mark meanwhile
        there = processes()
        roots = {pid for pid in there if has_mark(pid, mark, is_whole=is_whole)}
        if roots:
            break
        time.sleep(_LOOKS_SECONDS)
    return living(below(roots, there) - {os.getpid()}, there)


def _leftovers(pids: Iterable[int]) -> list[Leftover]:
    return [Leftover(pid, _command(pid)) for pid in pids]


def _last_word(pid: int) -> bytes:
    return contents_of(f"/proc/{pid}/cmdline").rstrip(b"\0").rpartition(b"\0")[2]


def _command(pid: int) -> str:
    words = contents_of(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")
    return b" ".join(words).decode("utf-8", "backslashreplace")
