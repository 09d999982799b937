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
from durably_cli.system import ids
from durably_cli.system.folders import DATA_VARIABLE

if TYPE_CHECKING:
    from durably_cli.engines.run_view import RunView, Unreadable
    from durably_cli.engines.runs import Claimed
    from durably_cli.steps.mail import Sent


def find_run(store: Store, query: str) -> str:
    """The id of the run of this store that a person means: see `Runs.find`."""
    return LocalRuns(store).find(query)


class LocalRuns:
    """Those of one project: `Runs` says what each method is for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        return str(self._store.root)

    def find(self, query: str) -> str:
        from durably_cli.engines.lookup import run_of_query  # which takes re

        return run_of_query(self, query)

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

    def fitting(self, part: str) -> list[str]:
        store = self._store
        if ids.is_id(part) and store.path_of(part).exists():
            return [part]
        return [run for day in store.days() for run in sorted(store.run_ids_of(day, part))[::-1]]

    def claimed(self, job: str, key: str) -> Claimed:
        from durably_cli.engines.local.claims import Claims  # for keys only
        from durably_cli.engines.runs import Claimed

        claim = Claims(self._store.root).find(job, key)
        if claim is None:
            return Claimed()
        is_there = self._store.path_of(claim.run).exists()
        return Claimed(claim.run if is_there else None, claim.deleted)

    def leave(self, run_id: str, name: str, number: int, sent: Sent) -> bool:
        from durably_cli.engines.local.signals_sent import SignalsSent  # for who sends one

        box = SignalsSent(self._store.path_of(run_id))
        return box.send(name, sent, self._store.temporary, number)

    def why_none(self) -> str:
        from durably_cli.engines.local.whose import why_empty  # seldom

        return why_empty(self._store)

    def may_be_of_others(self) -> bool:
        from durably_cli.engines.local.whose import is_perhaps_of_others  # seldom

        return is_perhaps_of_others()

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
