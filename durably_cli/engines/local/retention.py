"""A project's old runs, removed by `durably tick`: once an hour, for a few seconds at a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from durably_cli.engines.local import cache
from durably_cli.engines.local.removal import LocalRemoval
from durably_cli.engines.local.store import Store
from durably_cli.engines.old import RETENTION_PAUSE, Old
from durably_cli.engines.removal import removed_for_a_while
from durably_cli.system import clock


def retain(store: Store, keep: float | None, keep_last: int) -> list[str]:
    """Remove what need not stay, unless that was done within the hour; the ids of what is gone."""
    if not store.runs.exists():  # what makes a store is a run
        return []
    done = cache.of_store(store.root, "retention")
    asked = [keep, keep_last]
    known: Any = cache.read_cache(done)
    with suppress(TypeError, KeyError, ValueError):
        age = clock.utc_now() - clock.parse_time(known["at"])
        if known["asked"] == asked and timedelta(0) <= age < RETENTION_PAUSE:
            return []
    lock = store.lock("retention")
    if lock is None:  # another process does it
        return []
    try:
        removal = LocalRemoval(store)
        removal.sweep()
        gone, is_all = removed_for_a_while(removal, Old.staying(keep, keep_last))
        if is_all:  # else the next one goes on
            cache.write_cache(done, {"at": clock.now(), "asked": asked})
    finally:
        lock.close()
    return gone
