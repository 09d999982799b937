"""What a worker does besides executing runs: it says what there is to say, and removes old ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.cli.noticing import Notifier
from durably_cli.project.settings import settings_of

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.engines.live_run import LiveRun

_PAUSE_SECONDS = 10.0
"""Between two looks at what other workers have left."""


class WorkerChores:
    """Notices, pings and retention of a project: `Hooks` says when each method is called.

    Whatever goes wrong with them is said to `say`. ConfigError if the project's settings are none.
    """

    def __init__(self, project: Path, engine: DbosEngine, say: Callable[[str], object]) -> None:
        self._noted = engine.noted(patient=True)
        self._notifier = Notifier(project, lambda: self._noted)
        self._say = say
        self._settings, self._engine = settings_of(project), engine
        self._next = 0.0
        self._sweep: threading.Thread | None = None

    def begins(self, run: LiveRun) -> None:
        if self._is_heard(run.run_id):
            self._notifier.begins(run)
            self._say_problems()

    def ended(self, run_id: str, why: str = "") -> None:
        if self._is_heard(run_id):
            self._notifier.ended(run_id, why)
            self._say_problems()

    def now_and_then(self) -> None:
        """In a thread of its own: a mail server that hangs must hold up no takeover."""
        is_early = time.monotonic() < self._next
        if is_early or not (self._notifier.notifies or self._settings.retains):
            return
        if self._sweep is not None and self._sweep.is_alive():
            return
        with suppress(RuntimeError):  # the process ends, or may have no thread more
            self._sweep = threading.Thread(target=self._swept, daemon=True)
            self._sweep.start()

    def _swept(self) -> None:
        self._notifier.sweep(retries=True)
        self._say_problems()
        if self._settings.retains:
            self._remove_old()
        self._next = time.monotonic() + _PAUSE_SECONDS

    def _remove_old(self) -> None:
        try:
            self._engine.retain(self._settings.keep, self._settings.keep_last)
        except Exception as error:  # the next time, or by another worker
            with suppress(Exception):
                self._say(f"old runs were not removed: {error}")

    def _is_heard(self, run_id: str) -> bool:
        """Is there anything to say, and is it no run that a notice's command has triggered?"""
        if not self._notifier.is_needed:
            return False
        with suppress(Exception):  # then it is said once too often
            return not self._noted.is_unheard(run_id)
        return True

    def _say_problems(self) -> None:
        for problem in self._notifier.problems(but_pings=False):
            with suppress(Exception):  # nobody reads
                self._say(problem)
