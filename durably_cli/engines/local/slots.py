"""How many runs are taken up at once, by all processes that look after those of a store."""

from __future__ import annotations

from pathlib import Path

from durably_cli.system import files, locks
from durably_cli.system.locks import Lock


class Slots:
    """So many files of a store, of which each run that was taken up has one locked."""

    def __init__(self, root: Path, number: int) -> None:
        self._folder, self._number = root / "locks", number

    def take(self) -> Lock | None:
        """A free one, until it is closed; None if there is none."""
        files.make_folder(self._folder)
        for number in range(self._number):
            lock = locks.acquire(files.open_or_make(self._folder / f"tick-{number}"))
            if lock is not None:
                return lock
        return None
