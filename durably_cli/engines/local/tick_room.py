"""How many runs are taken up at once, by all processes that look after those of a store."""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli.system import files, locks
from durably_cli.system.locks import Lock


class Room:
    """So many files of a store, of which the process of each run that was taken up has one locked.

    So a place is free when that process has ended, whatever became of the one that began it.
    """

    def __init__(self, root: Path, number: int) -> None:
        self._folder, self._number = root / "locks", number

    def take_place(self) -> Lock | None:
        """A free place, until it is closed; None if there is none."""
        files.make_folder(self._folder)
        for number in range(self._number):
            lock = locks.acquire(files.open_or_make(self._folder / f"tick-{number}"))
            if lock is not None:
                return lock
        return None


def hold_place(fd: int) -> Lock | None:
    """The place that was handed to this process, until it ends; None if this is none."""
    try:
        os.set_inheritable(fd, False)
        return locks.acquire(fd)
    except OSError:
        return None
