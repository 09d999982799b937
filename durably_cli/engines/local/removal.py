"""Removing runs of a store, as commands ask for it: `Removal` says what each method is for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator

from durably_cli.engines.local import index
from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.remove import remove, sweep
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.engines.old import FINAL, Old, ended_at, in_families
from durably_cli.engines.run_view import Unreadable
from durably_cli.journal.state import Status
from durably_cli.system import ids


class LocalRemoval:
    """Of this store."""

    def __init__(self, store: Store) -> None:
        self._store, self._claims = store, Claims(store.root)

    def sweep(self) -> int:
        return sweep(self._store)

    def remove(self, run_id: str, statuses: Collection[Status], *, free_key: bool) -> int:
        return remove(self._store, run_id, statuses, free_key=free_key)

    def old_runs(self, old: Old) -> list[str]:
        found = dict(_old(self._store, old))
        return in_families(found, lambda run: os.path.lexists(self._store.path_of(run)))

    def free_key(self, job: str, key: str) -> bool:
        path = self._claims.path(job, key)
        is_there = path.exists()
        self._claims.free(path)
        return is_there


def _old(store: Store, old: Old) -> Iterator[tuple[str, str]]:
    """The runs that are old enough, newest first, with those that they are steps of."""
    statuses, seen = old.statuses or FINAL, Counter[str]()
    for run_id, job, status in index.glances(store):
        may_go = ids.made_at(run_id) < old.before and (not status or status in statuses)
        if status:
            seen[job] += 1
            if not may_go or seen[job] <= old.keep_last:
                continue
        elif not may_go:
            created = store.created(run_id)
            seen[created.job if created else ""] += 1
            continue
        for run in store.look_at([run_id]):
            if not status:
                job = "" if isinstance(run, Unreadable) else run.state.created.job
                seen[job] += 1
            held = isinstance(run, JournalView) and run.held
            if seen[job] <= old.keep_last or held or run.status not in statuses:
                continue
            if ended_at(run) < old.before:
                parent = "" if isinstance(run, Unreadable) else run.state.created.parent
                yield run_id, parent
