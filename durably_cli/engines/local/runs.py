"""The runs of a store, for commands that look at them whatever the engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.journal.events import LogWritten, RunCreated
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.system.folders import DATA_VARIABLE

if TYPE_CHECKING:
    from durably_cli.engines.run_view import RunView, Unreadable


class LocalRuns:
    """Those of one project: `Runs` says what each method is for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        return str(self._store.root)

    def find(self, query: str) -> str:
        from durably_cli.engines.local.lookup import find_run  # which takes re

        return find_run(self._store, query)

    def view(self, run_id: str, *, despite_damage: bool = False) -> JournalView:
        return self._store.view(run_id, despite_damage=despite_damage)

    def look(self, run_id: str) -> JournalView | Unreadable | None:
        return self._store.look(run_id)

    def look_at(self, run_ids: Iterable[str]) -> Iterator[JournalView | Unreadable]:
        return self._store.look_at(run_ids)

    def created(self, run_id: str) -> RunCreated | None:
        return self._store.created(run_id)

    def run_ids(self) -> Iterator[str]:
        return self._store.run_ids()

    def why_none(self) -> str:
        from durably_cli.engines.local.whose import is_perhaps_of_others, why_empty  # seldom

        return why_empty(self._store) if is_perhaps_of_others() else ""

    def lacks_place(self) -> str:
        data = self._store.root.parent
        is_named = bool(os.environ.get(DATA_VARIABLE)) and not data.is_dir()
        return f"there is no folder {data}, which {DATA_VARIABLE} names" if is_named else ""

    def candidates(
        self,
        *,
        statuses: Collection[Status] = (),
        jobs: Collection[str] = (),
        labels: Mapping[str, str] | None = None,
        looking_at_many: Callable[[], object] = lambda: None,
    ) -> Iterator[str]:
        from durably_cli.engines.local.index import candidates  # only for filters

        return candidates(
            self._store,
            statuses=statuses,
            jobs=jobs,
            labels=labels,
            looking_at_many=looking_at_many,
        )

    def follow(self, run_id: str) -> Iterator[tuple[bytes, Event]]:
        from durably_cli.engines.local.follow import follow  # only for who waits

        return follow(self._store, run_id)

    def whole_log(self, run_id: str, log: LogWritten) -> LogWritten:
        from durably_cli.engines.local.view import whole_log

        return whole_log(self._store.path_of(run_id), log)

    def at_its_end(
        self, run_id: str, deadline: float, waits: Callable[[RunView], None]
    ) -> RunView | Unreadable:
        from durably_cli.engines.local.follow import at_its_end  # only for who waits

        return at_its_end(self._store, run_id, deadline, waits)
