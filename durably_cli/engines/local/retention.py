"""Which runs are old enough to be removed, and that they are.

A project may have that done by `durably tick`: at most once an hour, for a few seconds at a time.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from durably_cli.engines.local import cache, index
from durably_cli.engines.local.remove import FINAL, remove, sweep
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.engines.run_view import Unreadable
from durably_cli.errors import Busy, NotFound, UsageError
from durably_cli.journal.state import Status
from durably_cli.system import clock, ids


class Old(NamedTuple):
    """Which runs are to go: those that ended before, but for the newest of each job.

    Of no status, those that cannot be resumed.
    """

    before: datetime
    keep_last: int = 0
    statuses: Collection[Status] = ()
    free_keys: bool = False

    @classmethod
    def staying(cls, seconds: float | None, keep_last: int) -> Old:
        """Where runs stay for so long, if there is such a time, and so many of each job."""
        now = clock.utc_now()
        return cls(now if seconds is None else now - timedelta(seconds=seconds), keep_last)


def old_runs(store: Store, old: Old) -> list[str]:
    """The runs that may go, newest first; behind each those that are steps of it.

    A run that is a step of another one goes with that one, or later.
    """
    found = dict(_old(store, old))
    below = defaultdict[str, list[str]](list)
    for run_id, parent in found.items():
        if parent in found:
            below[parent].append(run_id)
        elif not parent or not os.path.lexists(store.path_of(parent)):
            below[""].append(run_id)
    return list(_families(below, ""))


def retain(store: Store, keep: float | None, keep_last: int) -> list[str]:
    """Remove what need not stay, unless that was done within the hour; the ids of what is gone."""
    if not store.runs.exists():  # what makes a store is a run
        return []
    done = cache.of_store(store.root, "retention")
    asked = [keep, keep_last]
    known: Any = cache.read_cache(done)
    with suppress(TypeError, KeyError, ValueError):
        age = clock.utc_now() - clock.parse_time(known["at"])
        if known["asked"] == asked and timedelta(0) <= age < _PAUSE:
            return []
    lock = store.lock("retention")
    if lock is None:  # another process does it
        return []
    gone = list[str]()
    try:
        sweep(store)
        old = Old.staying(keep, keep_last)
        found = old_runs(store, old)  # of 10,000 runs that takes seconds itself
        until = time.monotonic() + _SECONDS
        for run_id, _ in removed(store, found, old):
            gone.append(run_id)
            if time.monotonic() > until:  # the next one goes on
                return gone
        cache.write_cache(done, {"at": clock.now(), "asked": asked})
    finally:
        lock.close()
    return gone


_PAUSE = timedelta(hours=1)
_SECONDS = 5.0


def removed(store: Store, run_ids: Sequence[str], old: Old) -> Iterator[tuple[str, int]]:
    """Remove them: each with how many bytes that freed, but for those that may not go now."""
    for run_id in run_ids:
        with suppress(Busy, NotFound, UsageError):  # resumed or deleted since it was looked at
            yield run_id, remove(store, run_id, old.statuses or FINAL, free_key=old.free_keys)


def _families(below: Mapping[str, Sequence[str]], parent: str) -> Iterator[str]:
    """The runs below one: each with those that are steps of it behind it, and theirs."""
    for run_id in below.get(parent, ()):
        yield run_id
        yield from _families(below, run_id)


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
            if _ended(run) < old.before:
                parent = "" if isinstance(run, Unreadable) else run.state.created.parent
                yield run_id, parent


def _ended(run: JournalView | Unreadable) -> datetime:
    """When the run ended; of one that has not, when it gave its last sign of life."""
    if isinstance(run, Unreadable):
        return ids.made_at(run.run_id)
    state = run.state
    last = state.attempts[-1].last if state.attempts else state.created.at
    return clock.parse_time(state.ended or last)
