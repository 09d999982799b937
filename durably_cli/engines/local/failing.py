"""What fails in a store, as it is written down: a file for each job and key of its runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.engines.local.stamps import Stamp
from durably_cli.engines.local.store import Store
from durably_cli.errors import DurablyError
from durably_cli.system import clock, files, ids

FOLDER = "notices"

_LONGEST_PAUSE_MINUTES = 60


class Failing(NamedTuple):
    """What fails: since a run did. `stamp` is that of its journal.

    A notice that is not out yet was tried so often, the last time `tried`, and `said` says what
    came of it; `recovered` is the run that it is of, if that is a recovery.
    """

    job: str
    key: str
    run: str
    since: str
    stamp: Stamp
    why: str = ""
    recovered: str = ""
    said: str = ""
    tries: int = 0
    tried: str = ""

    def is_due(self) -> bool:
        """Is the notice to be tried again now? The pauses grow to an hour."""
        if not self.said:
            return False
        pause = timedelta(minutes=min(_LONGEST_PAUSE_MINUTES, 2 ** min(self.tries, 6)))
        return clock.utc_now() >= clock.parse_time(self.tried) + pause


def failing_in(store: Store) -> Iterator[Failing]:
    """What fails in a store, as far as it was written."""
    for name in sorted(files.names(store.root / FOLDER)):
        path = store.root / FOLDER / name
        failing = failing_of(read_written(path)) if name.endswith(".json") else None
        if failing is not None:
            yield failing


def read_written(path: Path) -> dict[str, Any]:
    """What is written in a file of these; nothing if that cannot be read."""
    try:
        with open(files.open_existing(path), "rb") as file:
            found = json.loads(file.read())
    except (OSError, DurablyError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def failing_of(found: dict[str, Any]) -> Failing | None:
    """What was written, if it is what durably writes."""
    try:
        failing = Failing(**found)
        clock.parse_time(failing.since)
        if failing.tried:
            clock.parse_time(failing.tried)
    except (TypeError, ValueError):
        return None
    is_whole = isinstance(failing.tries, int) and isinstance(failing.stamp, list)
    texts = (failing.job, failing.key, failing.why, failing.said)
    are_ids = ids.is_id(str(failing.run)) and (
        not failing.recovered or ids.is_id(str(failing.recovered))
    )
    return failing if is_whole and are_ids and all(isinstance(t, str) for t in texts) else None
