"""What is noted for notices, in files of the store: `Noted` says what each method is for.

notices/<run id>           a run whose next end is still to be looked at
notices/<sha256>.json      what fails: a job, with a key that its runs have
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durably_cli.engines.local.stamps import Stamp, stamp_of
from durably_cli.engines.local.store import Store
from durably_cli.engines.noted import Failing, failing_of
from durably_cli.errors import DurablyError
from durably_cli.system import files, ids
from durably_cli.values.strict_json import to_json

if TYPE_CHECKING:
    from durably_cli.engines.local.view import JournalView
    from durably_cli.engines.run_view import RunView, Unreadable

_FOLDER = "notices"


class NotedFiles:
    """Those of a store."""

    def __init__(self, store: Store) -> None:
        self._store, self._folder = store, store.root / _FOLDER

    def put_down(self, run_id: str, attempt: int) -> None:
        files.make_folder(self._folder)
        os.close(files.open_or_make(self._folder / run_id))
        files.sync_folder(self._folder)

    def cross_out(self, run_id: str, attempts: int) -> None:
        (self._folder / run_id).unlink(missing_ok=True)
        if self._store.is_held(run_id):  # it was taken up at this moment, and put down before
            self.put_down(run_id, attempts)

    def left(self) -> Iterator[str]:
        for name in files.names(self._folder):
            if ids.is_id(name) and not self._store.is_held(name):
                yield name

    def look(self, run_id: str) -> JournalView | Unreadable | None:
        return self._store.look(run_id)

    def is_executed(self, view: RunView) -> bool:
        return view.held

    def dead(self, run_id: str) -> dict[str, Any]:
        return _read(self._folder / run_id)

    def note_dead(self, run_id: str, dead: Mapping[str, str]) -> None:
        self._write(self._folder / run_id, to_json(dict(dead)))

    def stamp(self, run_id: str) -> Stamp:
        return stamp_of(self._store.path_of(run_id))

    def failing(self) -> Iterator[tuple[Failing, bool]]:
        for name in sorted(files.names(self._folder)):
            failing = failing_of(_read(self._folder / name)) if name.endswith(".json") else None
            if failing is not None:
                has_changed = failing.stamp != self.stamp(failing.run)
                yield failing, has_changed and not self._store.is_held(failing.run)

    @contextmanager
    def one(self, job: str, key: str, seconds: float) -> Iterator[_FailingFile | None]:
        name = sha256(to_json([job, key]).encode()).hexdigest()
        lock = self._store.lock(f"notice-{name}", seconds=seconds)
        try:
            yield _FailingFile(self, self._folder / f"{name}.json") if lock else None
        finally:
            if lock is not None:
                lock.close()

    def _write(self, path: Path, text: str) -> None:
        files.make_folder(path.parent)
        os.rename(files.written(self._store.temporary, path.name, text.encode("ascii")), path)
        files.sync_folder(path.parent)


class _FailingFile:
    """What is written of a job, while this process has its lock."""

    def __init__(self, noted: NotedFiles, path: Path) -> None:
        self._noted, self._path = noted, path
        self.found = failing_of(_read(path))

    def write(self, failing: Failing) -> None:
        self._noted._write(self._path, to_json(failing._asdict()))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """What is written in a file of these; nothing if that cannot be read."""
    try:
        with open(files.open_existing(path), "rb") as file:
            found = json.loads(file.read())
    except (OSError, DurablyError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
