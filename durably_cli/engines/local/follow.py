"""Watching runs that other processes execute. It looks; it never gets in their way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from durably_cli import hints
from durably_cli.engines.local.stamps import stamp_of
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.takeover import is_suspended
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.errors import NotFound
from durably_cli.journal.reader import JournalReader, Position
from durably_cli.journal.registry import Event
from durably_cli.system import files, locks
from durably_cli.system.ids import short

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


def at_its_end(
    store: Store, run_id: str, deadline: float, waits: Callable[[RunView], None]
) -> RunView | Unreadable:
    """The run once it has ended, or nobody goes on with it; or as it is at this `time.monotonic()`.

    It must be free at two looks: an attempt that has tried nothing new is followed by one at once.
    `waits` is called with the run if another process holds it, and if it is suspended, whenever
    one has become the other. NotFound if it is deleted.
    """
    was_held: bool | None = None
    while True:
        run = store.look(run_id)
        if run is None:
            raise NotFound(f"run {short(run_id)} was deleted meanwhile", hint=hints.command("list"))
        if isinstance(run, Unreadable) or run.state.is_final or run.damage:
            return run
        left = deadline - time.monotonic()
        suspended = is_suspended(run)
        if left <= 0 or not (run.held or suspended or not _stays_free(run, left)):
            return run
        with run:
            if (run.held or suspended) and was_held != run.held:
                waits(run)
                was_held = run.held
        if run.held:
            _wait_for_lock(store, run_id, deadline)
        elif suspended:
            _wait_for_change(run, deadline)


def _stays_free(run: RunView, seconds: float) -> bool:
    time.sleep(min(_AT_ONCE_SECONDS, seconds))
    return run.is_still_free()


def _wait_for_lock(store: Store, run_id: str, deadline: float) -> None:
    """Return once nobody holds the run. It is not read meanwhile: a long wait costs nothing."""
    held = True
    while held and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(PAUSE_SECONDS, left))
        fd, held = _open(store, run_id)
        os.close(fd)


def _wait_for_change(run: RunView, deadline: float) -> None:
    """Return once anybody has written into the journal, or has removed it."""
    before = stamp_of(run.path)
    while stamp_of(run.path) == before and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(PAUSE_SECONDS, left))


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
        raise store.no_run(run_id) from None
    return fd, locks.is_held(fd)
