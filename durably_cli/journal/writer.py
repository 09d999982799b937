"""The journal of one run, as its owner writes it, from any of its threads.

- **Append.** One write on an O_APPEND descriptor, then a sync if the event is a durable one. After
  an error the file is cut back to where that event began and closed: a sync that failed once is
  never asked again, because the kernel reports the loss once and then forgets it.
- **Group commit.** A write and its sync are two things. `write` says up to where the journal is to
  be on disk before the event counts, and `sync` returns once it is. Whoever comes while another
  thread syncs is served by the next sync, together with all who have written meanwhile. If it
  fails, it fails for all of them.
- **End.** Behind the event that ends an attempt comes nothing.

Of the two locks the one to write is taken first, and nobody writes while the file is closed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from typing import TypeVar

from durably_cli.errors import JournalLost, RunEnded
from durably_cli.journal import codec, fast_codec
from durably_cli.journal.blobs import LIMIT, Blobs, belongs_in_a_file
from durably_cli.journal.events import LogWritten, RunCompleted, RunCompletedLarge
from durably_cli.journal.large import shortened
from durably_cli.journal.reader import Position
from durably_cli.journal.registry import DURABLE, Event
from durably_cli.journal.step_events import (
    NO_CODE,
    MapStarted,
    StepCompleted,
    StepFailed,
    StepMarkedDone,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import map_of
from durably_cli.journal.tail import SECTOR
from durably_cli.system import files
from durably_cli.system.ids import short
from durably_cli.system.locks import Lock
from durably_cli.system.signals import shielded
from durably_cli.values.strict_json import Json

R = TypeVar("R", StepCompleted, StepMarkedDone)
"""An event that has a result."""


class Journal:
    """A journal that this process owns and may append to; a context manager that lets go.

    JournalLost from what cannot be written or synced: nothing of the event is then in the journal,
    unless the error says that it may be, and nothing can be appended any more. RunEnded from what
    comes behind the end.
    """

    def __init__(
        self, lock: Lock, path: Path, temporary_folder: Path, mark: Position, digest: int
    ) -> None:
        self.path = path
        self._blobs, self.temporary_folder = Blobs(path), temporary_folder
        self._lock = lock
        self._end, self._lines, self._crc = mark
        self._synced = self._end
        self.digest = digest
        """The crc of the bytes that it began with, as they were read."""
        self._unsynced = deque[int]()
        """Where the lines begin that must be on disk and are not yet known to be."""
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._code = NO_CODE
        """That of the last step that was started here."""
        self._failure: OSError | None = None
        self._is_cut_back: bool | None = None
        self._has_ended = self._is_behind_failure = False
        self._first_behind = 0
        """Up to where the first start behind a failure is to be synced, for others, too."""
        self._pid = os.getpid()

    @shielded
    def append(self, event: Event) -> None:
        """Add a line; return once it is on disk, if the event is a durable one.

        So is the first start of a step behind a failure: whether that is carried depends on it.
        What is too large for a line goes to a file of its own, and the line names that.
        """
        if place := self._write(event):
            self._sync(place, event)

    @shielded
    def write(self, event: Event) -> int:
        """Add a line, which may not be on disk yet; the place to hand to `sync`, 0 if it may."""
        return self._write(event)

    @shielded
    def sync(self, place: int) -> None:
        """Return once all up to this place is on disk."""
        self._sync(place)

    @shielded
    def end_with(self, event: Event) -> None:
        """Add the line that ends the attempt: nothing comes behind it."""
        if place := self._write(event, is_last=True):
            self._sync(place, event)

    def end(self) -> None:
        """Let nothing more be added; return when nobody is writing or syncing any more."""
        with self._writing, self._syncing:
            self._has_ended = True

    @property
    def mark(self) -> Position:
        """Where the next line will stand."""
        return Position(self._end, self._lines, self._crc)

    @property
    def _synced_to(self) -> int | None:
        """What the next line says of the lines before it, if it may outlive them."""
        synced = self._synced
        return synced if synced // SECTOR != self._end // SECTOR else None

    def withdraw(self) -> None:
        """Remove the journal of a run that should not have been made."""
        os.unlink(self.path)
        files.sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the run."""
        self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: Event, *, is_last: bool = False) -> int:
        if os.getpid() != self._pid:  # asked of the kernel: C code may fork unheard by Python
            raise JournalLost(f"{self.path} belongs to process {self._pid}, not to its child")
        with self._writing:
            if self._has_ended:
                raise RunEnded(self._why_not(event))
            status = self._lock.status()
            if status is None or status.st_size != self._end or not status.st_nlink:
                raise self._no_longer_owned(status)
            synced_to = self._synced_to
            if isinstance(event, StepStarted):
                if event.code == self._code:  # as in a loop: the line says nothing of it
                    name, at, during, _, in_doubt, item = event
                    event = StepStarted(name, at, during, "", in_doubt, item)
                self._code = event.code or self._code
                data, crc = fast_codec.started(self._lines, event, self._crc)
            elif isinstance(event, StepCompleted):
                if belongs_in_a_file(event.result):
                    event = self._in_a_file(event)
                data, crc = fast_codec.completed(self._lines, event, self._crc, synced_to)
            else:
                if isinstance(event, StepMarkedDone) and belongs_in_a_file(event.result):
                    event = self._in_a_file(event)
                if type(event) not in DURABLE:
                    synced_to = None
                data, crc = codec.line_of(self._lines, event, self._crc, synced_to)
                if len(data) > LIMIT:
                    event = self._shortened(event)
                    data, crc = codec.line_of(self._lines, event, self._crc, synced_to)
                self._is_behind_failure |= isinstance(event, StepFailed)
            try:
                files.write_all(self._lock.fd, data)
                must_be_synced = type(event) in DURABLE
                if must_be_synced:
                    self._unsynced.append(self._end)
                elif self._is_behind_failure or self._synced < self._first_behind:
                    must_be_synced = _is_behind(event)
                    if must_be_synced and self._is_behind_failure:
                        self._first_behind = self._end + len(data)
                        self._is_behind_failure = False
                self._lines, self._crc, self._end = self._lines + 1, crc, self._end + len(data)
                self._has_ended = is_last
                return self._end if must_be_synced else 0
            except OSError as error:
                self._failure = failure = error
            except BaseException:  # where it stopped is unknown: leave what a crash would leave
                self._let_go()
                raise
        raise self._lost(failure, event) from failure

    def _sync(self, place: int, event: Event | None = None) -> None:
        try:
            with self._syncing:
                if self._synced >= place:  # by another thread, while this one waited
                    return
                end, failure = self._end, self._failure
                if failure is None:
                    try:
                        files.sync(self._lock.fd)
                        self._synced = end
                        unsynced = self._unsynced
                        while unsynced and unsynced[0] < end:
                            unsynced.popleft()
                        return
                    except OSError as error:
                        self._failure = failure = error
        except BaseException:  # whether it was synced is unknown: leave what a crash would leave
            with self._writing, self._syncing:
                self._lock.close()
            raise
        raise self._lost(failure, event) from failure

    def _lost(self, failure: OSError, event: Event | None) -> JournalLost:
        """Cut back what is not acknowledged, and let go of the file; the error to raise."""
        with self._writing, self._syncing:
            if self._is_cut_back is None:
                self._is_cut_back = self._cut_back()
        saved = "was not saved" if self._is_cut_back else "may or may not have been saved"
        what = "what was written last" if event is None else _what(event)
        return JournalLost(f"cannot write {self.path}: {failure.strerror}; {what} {saved}")

    def _cut_back(self) -> bool:
        """Let go of the file; False if what is not acknowledged may have been left in it."""
        try:
            os.ftruncate(self._lock.fd, self._unsynced[0] if self._unsynced else self._end)
        except OSError:  # of a disk that has just gone read-only
            return False
        finally:
            self._lock.close()
        return True

    def _let_go(self) -> None:
        """Close the file when nobody syncs it: a sync could else be of another file."""
        with self._syncing:
            self._lock.close()

    def _in_a_file(self, event: R) -> R:
        return event._replace(result=self._put(event.result, event))

    def _shortened(self, event: Event) -> Event:
        return shortened(event, lambda value: self._put(value, event))

    def _put(self, value: Json, event: Event) -> Json:
        """Write a value of the event to a file of its own; the reference to it."""
        try:
            return self._blobs.put(value, self.temporary_folder)
        except OSError as error:
            self._let_go()
            what = f"{error.strerror}; {_what(event)} was not saved"
            raise JournalLost(f"cannot write in {self._blobs.folder}: {what}") from error

    def _no_longer_owned(self, status: os.stat_result | None) -> JournalLost:
        if status is None or self._failure is not None:
            before = f" ({self._failure.strerror})" if self._failure is not None else ""
            return JournalLost(
                f"{self.path} is no longer open in this process: an append to it failed before"
                f"{before}, or the job closed a descriptor that is not its own"
            )
        self._let_go()
        what = "changed" if status.st_nlink else "removed or replaced"
        return JournalLost(f"{self.path} was {what} by another program while the run executed")

    def _why_not(self, event: Event) -> str:
        what = "asked for a step" if isinstance(event, StepStarted) else "reported something"
        run = short(self.path.stem)
        return (
            f"a thread {what} when the attempt of run {run} had ended; it is not recorded: "
            "let the handler wait for the threads and tasks that it starts"
        )


def _is_behind(event: Event) -> bool:
    """Is a step begun that may be for a failure before? Of a map, other items are none."""
    return isinstance(event, (StepStarted, MapStarted)) and map_of(event.name) is None


def _what(event: Event) -> str:
    if isinstance(event, StepCompleted):
        return f"the result of step {event.name!r}"
    if isinstance(event, (StepFailed, StepRetrying)):
        return f"the failure of step {event.name!r}"
    if isinstance(event, LogWritten):
        return "a log line"
    if isinstance(event, (RunCompleted, RunCompletedLarge)):
        return "the run's output"
    return f"its {codec.name_of(event)} event"
