"""A run whose journal this process holds, as an attempt sees it: `Held` says what for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.local.inbox import Inbox
from durably_cli.engines.local.own_journal import OwnJournal
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import Checkpoint, JournalView
from durably_cli.journal.outputs import folder_of
from durably_cli.journal.reader import Position
from durably_cli.journal.writer import Journal
from durably_cli.system import files

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun, Watcher
    from durably_cli.steps.child_run import Execute
    from durably_cli.steps.step import Step


class HeldJournal:
    """The journal, and what stands beside it; `known` is what need not be read again of it."""

    def __init__(self, journal: Journal) -> None:
        self.log = journal
        self.known: Checkpoint | None = None
        self.mail = SignalsSent(journal.path)
        self._own: OwnJournal | None = None
        self._inbox = Inbox(journal.path)
        self.cancel_request, self.clear_requests = self._inbox.cancel, self._inbox.clear

    @property
    def programs(self) -> Path:
        return folder_of(self.log.path)

    @property
    def end(self) -> Position:
        return self.log.mark

    def begin(self) -> None:
        self._own = OwnJournal(self.log.path)

    def let_go(self) -> None:
        if self._own is not None:
            self._own.close()

    def look(self) -> JournalView:
        return JournalView(files.open_existing(self.log.path), self.log.path)

    def last_look(self) -> JournalView:
        path = self.log.path
        seen = self._own and self._own.view(self.known)
        return seen or Store.of(path).view(path.stem, self.known)

    def children(self, run: LiveRun, step: Step, watcher: Watcher) -> Execute:
        from durably_cli.engines.local.children import Children  # few jobs have any

        return Children(Store.of(self.log.path), run, step, watcher)

    def cancel_children(self, run_ids: Iterable[str], reason: str | None) -> None:
        from durably_cli.engines.local.cancel import cancel_children  # few runs have any

        cancel_children(Store.of(self.log.path), run_ids, reason)
