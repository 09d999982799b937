"""A journal with the files beside it that its lines name, as the next attempt reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.view import whole_log
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import LogWritten
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.system import files


class JournalFiles:
    """Those of the journal at this path: `Written` says what each is for."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self.result = Blobs(journal).get
        self.mail = SignalsSent(journal)

    def events(self) -> Iterator[Event]:
        """Read from the file. OSError and JournalError if that cannot be."""
        fd = files.open_existing(self._path)
        try:
            yield from JournalReader(fd, self._path, self._path.stem)
        finally:
            os.close(fd)

    def whole_log(self, log: LogWritten) -> LogWritten:
        return whole_log(self._path, log)
