"""What `tick` does besides taking up runs: it sends what is late, and removes what is old."""

from __future__ import annotations

import time
from pathlib import Path

from durably_cli.cli.noticing import Notifier
from durably_cli.engines.local.engine import LocalEngine
from durably_cli.engines.local.store import Store
from durably_cli.project.settings import settings_of

_PAUSE_SECONDS = 10.0


class Chores:
    """Those of a project's store. ConfigError if the project's settings are none."""

    def __init__(self, project: Path, store: Store) -> None:
        self._store, self._settings = store, settings_of(project)
        self.notifier = Notifier(project, LocalEngine(store).noted)
        self.removed: list[str] = []
        """The runs that were removed so far."""
        self._next = 0.0

    def now_and_then(self) -> None:
        """Do them, if that was not done just now."""
        if time.monotonic() >= self._next:
            self.now()

    def now(self) -> None:
        """Do them."""
        self._next = time.monotonic() + _PAUSE_SECONDS
        self.notifier.sweep(retries=True)
        if self._settings.retains:
            from durably_cli.engines.local.retention import retain  # few projects have any

            self.removed += retain(self._store, self._settings.keep, self._settings.keep_last)
