"""The journal of a run that this process executes, open to be read when its path leads nowhere.

A step may give up its user, its root folder, or the files that it may open: the run has completed
all the same, and its end is in this file.
"""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli.engines.local.view import Checkpoint, JournalView
from durably_cli.system import files


class OwnJournal:
    """A descriptor of the journal, until `close` or the end of the view that it becomes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = files.open_existing(path)
        self._identity = os.fstat(self._fd)

    def view(self, known: Checkpoint | None) -> JournalView | None:
        """The run as it is now, once; None if the job has closed the file. JournalDamaged if it is.

        Where its path leads nowhere, large results are not looked for.
        """
        fd, self._fd = self._fd, -1
        if not self._is_at(fd):
            return None
        try:
            view = JournalView(
                fd, self._path, known, looks_for_large=os.access(self._path, os.F_OK)
            )
            if view.damage:
                raise view.damage
            return view
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        fd, self._fd = self._fd, -1
        if self._is_at(fd):
            os.close(fd)

    def _is_at(self, fd: int) -> bool:
        """Is this still its descriptor? A step may have closed it, and another file have it."""
        try:
            return os.path.samestat(os.fstat(fd), self._identity)
        except OSError:
            return False
