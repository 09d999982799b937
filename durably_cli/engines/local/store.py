"""The store: the folder of a project's journals.

    project.json                      where the project is
    runs/<yyyy-mm-dd>/<run id>.jsonl  one journal a run, in the folder of the day its id was made
    keys/, locks/                     idempotency claims and concurrency keys (module `keys`)
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
from typing import BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.errors import DurablyError, Forbidden, JournalDamaged, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import Event, RunCreated
from durably_cli.journal.reader import Mark, Reading, begins_with
from durably_cli.journal.state import NotARun, RunState, Status, fold, fold_on
from durably_cli.journal.writer import Journal
from durably_cli.system import files, ids, locks

_SUFFIX = ".jsonl"
_COMPANION = r"\.(?:blobs|imported|source|(?:damaged|torn)-\d+)"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DAY_SECONDS = 86_400


class Known(NamedTuple):
    """A run's state at a mark in its journal."""

    state: RunState
    mark: Mark


class View:
    """A run as its journal stands now; a context manager, because it can be read once more.

    `held` says whether a process owns it, `damage` what is wrong with it: then all else is told of
    the good lines before. Of what is `known` the checksums alone are looked at again.
    """

    def __init__(self, fd: int, path: Path, known: Known | None = None) -> None:
        self.path = path
        self.run_id = path.stem
        self._fd = fd
        self.held = locks.is_held(fd)
        if known and not begins_with(fd, known.mark, self.run_id):
            known = None
        after = known.mark if known else None
        self._reading = Reading(fd, path, self.run_id, after=after, doubt=Blobs(path).missing)
        self.damage: JournalDamaged | None = None
        events = self._up_to_damage()
        self.state = fold_on(known.state.copy(), events) if known else fold_reading(events, path)
        if self.damage:
            self.state.lose_end("lost in the damage")

    @property
    def status(self) -> Status:
        """Where the run stands; interrupted if it has not ended and no process holds it."""
        if self.damage:
            return Status.DAMAGED
        if self.state.has_ended or self.held:
            return self.state.status
        return Status.INTERRUPTED

    @property
    def torn_bytes(self) -> int:
        """How many bytes of a torn tail a crash left; the next attempt drops them."""
        return self._reading.torn.size if self._reading.torn and not self.held else 0

    def events(self) -> Iterator[Event]:
        """The same events again."""
        return (event for _, event in self.lines())

    def lines(self) -> Iterator[tuple[bytes, Event]]:
        """The same lines again, without their newlines."""
        return Reading(self._fd, self.path, self.run_id, size=self._reading.end).with_lines()

    def open(self) -> BinaryIO:
        """The journal's bytes, to be read from the beginning."""
        file = os.fdopen(os.dup(self._fd), "rb")
        file.seek(0)
        return file

    @property
    def imported(self) -> bool:
        """Was it brought from elsewhere, so that it is read-only?"""
        return is_imported(self.path)

    def sync(self) -> None:
        """Return once what was read is on disk: for who acts on an end that it did not write."""
        files.sync(self._fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _up_to_damage(self) -> Iterator[Event]:
        try:
            yield from self._reading
        except JournalDamaged as damage:
            if not self._reading.lines:
                raise
            self.damage = damage


class Unreadable:
    """A run of whose journal nothing can be read, and why."""

    def __init__(self, run_id: str, error: DurablyError) -> None:
        self.run_id = run_id
        self.error = error

    @property
    def status(self) -> Status:
        """Damaged, or unreadable for another reason."""
        return Status.DAMAGED if isinstance(self.error, JournalDamaged) else Status.UNREADABLE


class Store:
    """The journals of one project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.temporary = root / "tmp"

    def path_of(self, run_id: str) -> Path:
        """Where the journal of this run is, or would be."""
        return self.runs / ids.day(run_id) / (run_id + _SUFFIX)

    def create(self, event: RunCreated) -> Journal | None:
        """A new run, durable and owned by this process; None if there is one of that id."""
        path = self.path_of(event.run)
        files.make_folder(path.parent)
        self._sweep()
        return ownership.create(path, self.temporary, event)

    def view(
        self, run_id: str, known: Known | None = None, *, despite_damage: bool = False
    ) -> View:
        """The run as it is now. NotFound if there is none; JournalError if it cannot be read.

        Of a damaged one, what stands before the damage, if asked for.
        """
        path = self.path_of(run_id)
        while True:
            try:
                fd = files.open_existing(path)
            except FileNotFoundError:
                raise NotFound(
                    f"there is no run {run_id} in {self.root}", hint=hints.command("list")
                ) from None
            try:
                view = View(fd, path, known)
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

    def created(self, run_id: str) -> RunCreated | None:
        """What the run was made as, from its first line alone; None if that cannot be read."""
        path = self.path_of(run_id)
        try:
            fd = files.open_existing(path)
        except (OSError, DurablyError):
            return None
        try:
            first = next(iter(Reading(fd, path, run_id)), None)
        except DurablyError:
            return None
        finally:
            os.close(fd)
        return first if isinstance(first, RunCreated) else None

    def views(self) -> Iterator[View | Unreadable]:
        """Every run, newest first; each view is closed when the next one is asked for."""
        return self.look_at(self.run_ids())

    def look_at(self, run_ids: Iterable[str]) -> Iterator[View | Unreadable]:
        """These runs, as far as they are there; each view is closed when the next is asked for."""
        for run_id in run_ids:
            found = self.look(run_id)
            if isinstance(found, View):
                with found:
                    yield found
            elif found is not None:
                yield found

    def look(self, run_id: str) -> View | Unreadable | None:
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


def marker_of(path: Path) -> Path:
    """What says beside this journal that its run was brought from elsewhere."""
    return path.with_suffix(".imported")


def is_imported(path: Path) -> bool:
    """Was the run of this journal brought from elsewhere, so that it is read-only?"""
    return marker_of(path).exists()


def fold_reading(events: Iterable[Event], path: Path) -> RunState:
    """The state of the journal at this path. JournalDamaged if its events make no run."""
    try:
        return fold(events)
    except NotARun as error:
        raise JournalDamaged(str(path), 1, 0, str(error)) from None


def _still_names(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False
