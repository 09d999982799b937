"""The store: the folder of a project's journals.

    project.json                      where the project is
    runs/<yyyy-mm-dd>/<run id>.jsonl  one journal a run, in the folder of the day its id was made
    keys/, locks/                     idempotency claims and concurrency keys (module `keys`)
    notices/                          which jobs fail, and what is still to be said (`notices`)
    tmp/                              what is being made; swept when a day old and not held

Reading changes nothing: a reader asks whether the journal is held, reads it, and begins again if
the path then names another file, as it does when a resume took the run over meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from durably_cli import hints
from durably_cli.engines.local.view import Checkpoint, JournalView
from durably_cli.engines.run_view import Unreadable
from durably_cli.errors import DurablyError, Forbidden, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.events import RunCreated
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.writer import Journal
from durably_cli.system import files, ids, locks
from durably_cli.system.locks import Lock

_SUFFIX = ".jsonl"
_ORIGINAL = r"(?:damaged|torn)-\d+"
_COMPANION = rf"\.(?:blobs|programs|forks|input-[0-9a-f]{{64}}|imported|inbox|source|{_ORIGINAL})"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DAY_SECONDS = 86_400


class Store:
    """The journals of one project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.temporary = root / "tmp"

    @classmethod
    def of(cls, journal: Path) -> Store:
        """The one that this journal is in."""
        return cls(journal.parents[2])

    def path_of(self, run_id: str) -> Path:
        """Where the journal of this run is, or would be."""
        return self.runs / ids.day(run_id) / (run_id + _SUFFIX)

    def create(self, event: RunCreated) -> Journal | None:
        """A new run, durable and owned by this process; None if there is one of that id."""
        path = self.path_of(event.run)
        files.make_folder(path.parent)
        self._sweep()
        return ownership.create_journal(path, self.temporary, event)

    def view(
        self, run_id: str, known: Checkpoint | None = None, *, despite_damage: bool = False
    ) -> JournalView:
        """The run as it is now. NotFound if there is none; JournalError if it cannot be read.

        Of a damaged one, what stands before the damage, if asked for.
        """
        path = self.path_of(run_id)
        while True:
            try:
                fd = files.open_existing(path)
            except FileNotFoundError:
                raise self.no_run(run_id) from None
            try:
                view = JournalView(fd, path, known)
                if view.damage and not despite_damage:
                    raise view.damage
            except BaseException:
                replaced = not _still_names(path, fd)
                os.close(fd)
                if replaced:
                    continue
                raise
            if _still_names(path, fd):
                return view
            os.close(fd)

    def is_held(self, run_id: str) -> bool:
        """Does a process hold the run? No, if its journal cannot be opened."""
        try:
            fd = files.open_existing(self.path_of(run_id))
        except (OSError, DurablyError):
            return False
        try:
            return locks.is_held(fd)
        finally:
            os.close(fd)

    def hold(self, run_id: str, *, seconds: float | None = None) -> Lock:
        """The lock of the run, held; waited for as long as `ownership.hold` does.

        NotFound if there is none; Busy if another process holds it.
        """
        try:
            return ownership.hold(self.path_of(run_id), seconds=seconds)
        except FileNotFoundError:
            raise self.no_run(run_id) from None

    def no_run(self, run_id: str) -> NotFound:
        """The error that there is no such run."""
        return NotFound(f"there is no run {run_id} in {self.root}", hint=hints.command("list"))

    def created(self, run_id: str) -> RunCreated | None:
        """What the run was made as: only its first line is read; None if that cannot be read."""
        path = self.path_of(run_id)
        try:
            fd = files.open_existing(path)
        except (OSError, DurablyError):
            return None
        try:
            first = next(iter(JournalReader(fd, path, run_id)), None)
        except DurablyError:
            return None
        finally:
            os.close(fd)
        return first if isinstance(first, RunCreated) else None

    def views(self) -> Iterator[JournalView | Unreadable]:
        """Every run, newest first; each view is closed when the next one is asked for."""
        return self.look_at(self.run_ids())

    def look_at(self, run_ids: Iterable[str]) -> Iterator[JournalView | Unreadable]:
        """These runs, as far as they are there; each view is closed when the next is asked for."""
        for run_id in run_ids:
            found = self.look(run_id)
            if isinstance(found, JournalView):
                with found:
                    yield found
            elif found is not None:
                yield found

    def look(self, run_id: str) -> JournalView | Unreadable | None:
        """The run as it is now, damaged or not, or why nothing of it can be read.

        None if there is none (any more).
        """
        try:
            return self.view(run_id, despite_damage=True)
        except NotFound:
            return None
        except DurablyError as error:
            return Unreadable(run_id, error)
        except OSError as error:
            return Unreadable(run_id, Forbidden(f"{self.path_of(run_id)}: {error.strerror}"))

    def run_ids(self) -> Iterator[str]:
        """The ids of all runs, newest first."""
        for day in self.days():
            yield from sorted(self.run_ids_of(day), reverse=True)

    def days(self) -> list[str]:
        """The days on which runs were made, newest first."""
        return sorted(filter(_DAY.fullmatch, files.names(self.runs)), reverse=True)

    def run_ids_of(self, day: str, part: str = "") -> list[str]:
        """The ids of the runs of a day that begin or end with this part, in any order."""
        try:
            found = files.names(self.runs / day)
        except OSError:  # no folder, or not to be read: `verify` says so
            return []
        tail = part + _SUFFIX
        journals = [name for name in found if name.endswith(_SUFFIX)]
        names = [name for name in journals if name.endswith(tail) or name.startswith(part)]
        return [run for name in names if ids.is_id(run := name.removesuffix(_SUFFIX))]

    def lock(self, name: str, *, seconds: float = 0.0) -> Lock | None:
        """The lock of this name on what the processes of this store share; None if another one
        has it for that long.
        """
        folder = self.root / "locks"
        files.make_folder(folder)
        return locks.acquire(files.open_or_make(folder / name), seconds=seconds)

    def companions(self, run_id: str) -> Iterator[Path]:
        """What stands beside a journal, be it there or not, and belongs to it."""
        folder = self.path_of(run_id).parent
        for name in files.names(folder):
            if name.startswith(run_id) and re.fullmatch(_COMPANION, name[len(run_id) :]):
                yield folder / name

    def owner_of(self, name: str) -> str | None:
        """The run to whose journal or companions this name in a day's folder belongs, if to one."""
        run_id, dot, rest = name.partition(".")
        is_ours = dot + rest == _SUFFIX or re.fullmatch(_COMPANION, dot + rest)
        return run_id if is_ours and ids.is_id(run_id) else None

    def originals(self, run_id: str) -> Iterator[Path]:
        """Copies of the journal as it was before a repair or a takeover."""
        for path in self.companions(run_id):
            if re.fullmatch(_ORIGINAL, path.suffix[1:]):
                yield path

    def _sweep(self) -> None:
        """Remove what a crash left in `tmp` a day ago or longer."""
        for name in files.names(self.temporary):
            path = self.temporary / name
            try:
                if time.time() - os.lstat(path).st_mtime < _DAY_SECONDS:
                    continue
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    files.remove_folder(path)
                    continue
                fd = files.open_existing(path)
            except (OSError, Forbidden):
                continue
            try:
                if not locks.is_held(fd):
                    path.unlink(missing_ok=True)
            finally:
                os.close(fd)


def _still_names(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False
