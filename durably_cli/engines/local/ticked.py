"""When a tick last looked after a store, and which runs should have been taken up by now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.engines.local import cache
from durably_cli.engines.local.lookout import Lookout
from durably_cli.engines.local.store import Store
from durably_cli.system import clock

PATIENCE = timedelta(minutes=5)
"""How long a run may wait for somebody to take it up."""


def note_tick(store: Store) -> None:
    """A tick looks after the store now."""
    cache.write_cache(_path(store), {"at": clock.now()})


def last_tick(store: Store) -> str | None:
    """When one did; None if that is not known."""
    found: Any = cache.read_cache(_path(store))
    try:
        at = str(found["at"])
        clock.parse_time(at)
    except (TypeError, KeyError, ValueError):  # none, or of a file that somebody has made up
        return None
    return at


def is_ticked(store: Store) -> bool:
    """Has a tick looked after it within the last minutes?"""
    last = last_tick(store)
    return last is not None and clock.utc_now() - clock.parse_time(last) < PATIENCE


def _path(store: Store) -> Path:
    return cache.of_store(store.root, "ticked")


class Overdue(NamedTuple):
    """A run that should have been taken up since then."""

    run_id: str
    since: str


def overdue(store: Store) -> list[Overdue]:
    """The runs that were to be taken up for longer than a tick takes, the first one first."""
    latest = clock.format_time(clock.utc_now() - PATIENCE)
    found = (Overdue(each.run_id, each.since) for each in Lookout(store).look())
    return [each for each in found if each.since < latest]
