"""A run that a worker executes, as an attempt sees it: `Held` says what each method is for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.dbos.cancel import cancel_if_open
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.log import DatabaseLog
from durably_cli.engines.dbos.mail import DatabaseMail
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.run_view import CancelRequest

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun, Watcher
    from durably_cli.steps.child_run import Execute
    from durably_cli.steps.step import Step

_LOOKS_SECONDS = 1.0
"""How often it is asked whether somebody has cancelled the run."""


class HeldRun:
    """The rows of a run that DBOS has given to this process."""

    programs: Path | None = None

    def __init__(self, database: RunDatabase, run_id: str, log: DatabaseLog) -> None:
        self._database, self._run_id, self.log = database, run_id, log
        self.mail = DatabaseMail(database, run_id)
        self._looked = float("-inf")

    @property
    def end(self) -> int:
        return self.log.place

    def begin(self) -> None:
        """Rows can be read whatever a step gives up."""

    def let_go(self) -> None:
        """Nothing is held for a last look."""

    def look(self) -> DatabaseView:
        return DatabaseView(self._database, self._run_id)

    def last_look(self) -> DatabaseView:
        return self.look()

    def cancel_request(self) -> CancelRequest | None:
        now = time.monotonic()
        if now - self._looked < _LOOKS_SECONDS:
            return None
        self._looked = now
        row = self._database.row(
            "select asked_by, asked_at, reason from durably.cancels where run = %s", self._run_id
        )
        return None if row is None else CancelRequest(*row)

    def clear_requests(self) -> None:
        """Who has asked stays to be seen."""

    def children(self, run: LiveRun, step: Step, watcher: Watcher) -> Execute:
        from durably_cli.engines.dbos.children import QueuedChildren  # few jobs have any

        return QueuedChildren(self._database, run, step)

    def cancel_children(self, run_ids: Iterable[str], reason: str | None) -> None:
        for run_id in run_ids:
            cancel_if_open(self._database, run_id, reason)
