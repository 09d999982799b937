"""Watching runs that other processes execute. It looks; it never gets in their way."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.errors import NotFound
from durably_cli.journal.events import Event
from durably_cli.journal.reader import JournalReader, Position
from durably_cli.system import files, locks

PAUSE_SECONDS = 0.2
"""How long to look away between two looks."""

_AT_ONCE_SECONDS = 0.05


def follow(store: Store, run_id: str) -> Iterator[tuple[bytes, Event]]:
    """The run's lines as `RunView.lines` gives them, and those to come while a process holds it."""
    mark: Position | None = None
    while True:
        fd, held = _open(store, run_id)
        try:
            reading = JournalReader(fd, store.path_of(run_id), run_id, after=mark)
            last: tuple[bytes, Event] | None = None
            for line in reading.with_lines():
                if last:
                    yield last
                if not (held and reading.lacks_newline):  # else it is still being written
                    last, mark = line, reading.mark
                else:
                    last = None
            if last:
                yield last
        finally:
            os.close(fd)
        if not held:
            return
        time.sleep(PAUSE_SECONDS)


def is_let_go(store: Store, run_id: str, deadline: float = math.inf) -> bool:
    """Wait until no process holds the run; False if one still does at this `time.monotonic()`.

    It must be free at two looks: an attempt that has tried nothing new is followed by one at once.
    """
    was_free = False
    while True:
        fd, held = _open(store, run_id)
        os.close(fd)
        left = deadline - time.monotonic()
        if left <= 0 or (was_free and not held):
            return not held
        was_free = not held
        time.sleep(min(PAUSE_SECONDS if held else _AT_ONCE_SECONDS, left))


def ticks(pause: float = PAUSE_SECONDS) -> Iterator[None]:
    """The moments to look again, for ever: the longer a look takes, the rarer they are."""
    while True:
        begun = time.monotonic()
        yield
        time.sleep(max(pause, 4 * (time.monotonic() - begun)))


def _open(store: Store, run_id: str) -> tuple[int, bool]:
    """The journal as it is now; and whether it was held, before it is read."""
    try:
        fd = files.open_existing(store.path_of(run_id))
    except FileNotFoundError:
        raise NotFound(
            f"there is no run {run_id} in {store.root}", hint=hints.command("list")
        ) from None
    return fd, locks.is_held(fd)
