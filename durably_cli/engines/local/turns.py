"""Concurrency keys: whose turn it is.

A key is two locked files, `<hash>` for the run that executes and `<hash>.slot` for the one that
waits to. Each says which run that is. The order is slot, then key: so one run waits, and whoever
finds the slot taken by a waiting run gets an error at once.

Whoever lets go of the key says that it was after this run: the next one waits for the programs that
are still being ended of it.

Keys come from outside; they touch paths only as hashes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from durably_cli import hints
from durably_cli.engines.local.leftovers import wait_for_programs
from durably_cli.errors import Busy, DurablyError
from durably_cli.system import files, ids, locks
from durably_cli.system.locks import Lock

_AFTER = "after "
"""What stands before the run in the file of a key that nobody has."""

_PASSING_SECONDS = 3.0
"""How long to bear with a lock whose holder says no run: it is just passing."""


class Turn:
    """One concurrency key of a store, as this process takes its turn; a context manager.

    Its end, or `release`, gives up all that is held.
    """

    def __init__(self, root: Path, key: str) -> None:
        self._folder = root / "locks"
        self._key_path = self._folder / _hash(key)
        self._slot_path = self._folder / (_hash(key) + ".slot")
        self._slot: Lock | None = None
        self._key: Lock | None = None
        self._last = ""
        self.name = key

    def take_slot(self) -> str | None:
        """Take the waiting slot; else the id of the run that waits in it.

        Busy if the key is held by this very process, which would wait for itself.
        """
        files.make_folder(self._folder)
        self._refuse_own()
        self._slot, waiting = self._lock_or_holder(self._slot_path)
        if self._slot is not None:
            self._say(self._slot_path, self._slot, "")
        return waiting

    def take_key(self, run_id: str) -> str | None:
        """With the slot, take the key for this run; else the id of the run that has it."""
        self._key, holder = self._lock_or_holder(self._key_path)
        if self._key is not None:
            self._has_key(run_id)
        return holder

    def wait_for_key(self, run_id: str) -> None:
        """With the slot, wait as this run until the key is free, and take it."""
        if self._slot is None:
            raise AssertionError("the slot comes first")
        self._say(self._slot_path, self._slot, run_id)
        self._key = locks.wait(_open(self._key_path))
        self._has_key(run_id)

    def rename_run(self, run_id: str) -> None:
        """Say that it is this run which has the key, or waits for it."""
        if self._key is not None:
            self._say(self._key_path, self._key, run_id)

    def begin(
        self, run_id: str, path_of: Callable[[str], Path], waits: Callable[[str], object]
    ) -> None:
        """With the key: this run executes now, once the one before it has no programs any more.

        They are waited for some seconds, which `waits` is called to say; `path_of` says where a
        run's journal is.
        """
        if self._last not in ("", run_id):
            wait_for_programs(path_of(self._last), waits)
        self._last = run_id

    def release(self) -> None:
        """Let go of all that is held."""
        ended = _AFTER + self._last if self._last else ""
        held = ((self._key_path, self._key, ended), (self._slot_path, self._slot, ""))
        for path, lock, word in held:
            if lock is not None and lock.status():
                with suppress(OSError):  # a word is informative; the lock is what counts
                    self._say(path, lock, word)
                lock.close()
        self._key = self._slot = None

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _has_key(self, run_id: str) -> None:
        if self._key is None or self._slot is None:
            raise AssertionError("the slot comes first, then the key")
        self._last = _run_of(_word_in(self._key_path).removeprefix(_AFTER))
        self._say(self._key_path, self._key, run_id)
        self._say(self._slot_path, self._slot, "")
        self._slot.close()
        self._slot = None

    @staticmethod
    def _say(path: Path, lock: Lock, word: str) -> None:
        """Say in the locked file which run it is for. Informative: a stale word is not believed."""
        with files.with_path(path):
            os.ftruncate(lock.fd, 0)
            os.pwrite(lock.fd, word.encode(), 0)

    def _lock_or_holder(self, path: Path) -> tuple[Lock | None, str | None]:
        """The lock, or the run that has it: one that says no run yet is about to, or to let go."""
        deadline = time.monotonic() + _PASSING_SECONDS
        while time.monotonic() < deadline:
            lock = locks.acquire(_open(path))
            if lock is not None:
                return lock, None
            holder = _read(path)
            if holder:
                return None, holder
            time.sleep(0.01)
        raise Busy(f"another process is taking the concurrency key {self.name!r}; try again")

    def _refuse_own(self) -> None:
        for path in (self._key_path, self._slot_path):
            fd = _open(path)
            try:
                if locks.is_mine(fd):
                    raise Busy(
                        f"the concurrency key {self.name!r} is held by this very process: "
                        "waiting for it would never end",
                        hint="do not trigger a run from inside a step of one that shares its key",
                    )
            finally:
                os.close(fd)


class NoTurn(Turn):
    """The turn of a run that shares no key: nobody is ever ahead of it."""

    def __init__(self) -> None:
        self.name = ""

    def take_slot(self) -> None:
        """Nobody waits."""

    def take_key(self, run_id: str) -> None:
        """Nobody has it."""

    def rename_run(self, run_id: str) -> None:
        """Nobody asks."""

    def begin(
        self, run_id: str, path_of: Callable[[str], Path], waits: Callable[[str], object]
    ) -> None:
        """None was before it."""

    def release(self) -> None:
        """Nothing is held."""


def turn_of(root: Path, key: str | None) -> Turn:
    """The turn of a run of this store with that concurrency key, or with none."""
    return NoTurn() if key is None else Turn(root, key)


def take_turn(turn: Turn, run_id: str, waiting_for: Callable[[str, str], object]) -> None:
    """Wait for the run's turn with its key. Busy if another run waits already."""
    waiting = turn.take_slot()
    if waiting is not None:
        raise slot_taken(turn, waiting)
    ahead = turn.take_key(run_id)
    if ahead is not None:
        waiting_for(ahead, turn.name)
        turn.wait_for_key(run_id)


def has_key(root: Path, key: str) -> str | None:
    """The run that executes now with this concurrency key, if one does; nothing is changed."""
    path = root / "locks" / _hash(key)
    try:
        fd = files.open_existing(path)
        try:
            is_taken = locks.is_held(fd)
        finally:
            os.close(fd)
        return (_read(path) or None) if is_taken else None
    except (OSError, DurablyError):
        return None


def key_taken(turn: Turn, run_id: str) -> Busy:
    """The error of one who finds another run executing, and does not wait."""
    return Busy(
        f"run {ids.short(run_id)} has the concurrency key {turn.name!r}",
        hint="try again later, or wait for it: --on-conflict wait",
        run=run_id,
    )


def slot_taken(turn: Turn, run_id: str) -> Busy:
    """The error of one who finds another run waiting."""
    return Busy(
        f"run {ids.short(run_id)} is waiting for the concurrency key {turn.name!r} already, "
        "and one may wait at a time",
        hint=f"try again later, or: {hints.command('list')}",
        run=run_id,
    )


def _open(path: Path) -> int:
    return files.open_or_make(path)


def _read(path: Path) -> str:
    return _run_of(_word_in(path))


def _word_in(path: Path) -> str:
    with open(files.open_existing(path), encoding="ascii", errors="replace") as file:
        return file.read(64)


def _run_of(word: str) -> str:
    return word if ids.is_id(word) else ""


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
