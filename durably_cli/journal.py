"""The journal of one run, as its owner writes it.

- **Own.** The exclusive lock on the journal's open file makes a process the run's owner, until the
  run's end is durable or the process dies.
- **Append.** One write on an O_APPEND descriptor, then a sync if the event is a durable one. After
  an error the file is cut back to where the write began and closed: a sync that failed once is
  never asked again, because the kernel reports the loss once and then forgets it.
- **Create.** A temporary file is locked, filled, synced and only then linked to its name: a journal
  that can be seen is whole, and held.
- **Take over.** An attempt appends to nothing that another process left behind. It copies the good
  lines to a new locked file, syncs it, renames it over the old one, and lets go of that one last.
"""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli import codec, files, locks
from durably_cli.blobs import Blobs, belongs_in_a_file
from durably_cli.errors import Busy, JournalLost
from durably_cli.events import (
    DURABLE,
    Event,
    LogWritten,
    RunCreated,
    RunRepaired,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from durably_cli.interrupts import shield
from durably_cli.locks import Lock
from durably_cli.reader import Mark, Reading

PATIENCE_SECONDS = 3.0
"""How long a resume waits for the lock: a dying process with much memory frees it late."""

_COPY_BYTES = 1 << 20


class Journal:
    """A journal that this process owns and may append to; a context manager that lets go."""

    def __init__(
        self, lock: Lock, path: Path, temporary_folder: Path, *, lines: int, crc: int, end: int
    ) -> None:
        self.path = path
        self._blobs, self._temporary = Blobs(path), temporary_folder
        self._lock = lock
        self._lines, self._crc, self._end = lines, crc, end
        self._pid = os.getpid()

    def append(self, event: Event) -> None:
        """Add a line; return once it is on disk, if the event is a durable one.

        A large result goes to a file of its own, and the line names that. One thread at a time may
        append: module `recorder` sees to that.
        JournalLost if it cannot be written: nothing of the event is then in the journal, unless the
        error says that it may be, and nothing can be appended any more.
        """
        with shield:
            self._check_owned()
            if isinstance(event, StepCompleted) and belongs_in_a_file(event.result):
                event = self._in_a_file(event)
            if type(event) in _OF_CHECKED_PARTS:
                data, crc = codec.encode(self._lines, event, self._crc)
            else:
                data, crc = _line(self._lines, event, self._crc)
            try:
                files.write_all(self._lock.fd, data)
                if type(event) in DURABLE:
                    files.sync(self._lock.fd)
            except OSError as error:
                saved = "was not saved" if self._cut_back() else "may or may not have been saved"
                raise JournalLost(
                    f"cannot write {self.path}: {error.strerror}; {_what(event)} {saved}"
                ) from error
            except BaseException:  # where it stopped is unknown: leave what a crash would leave
                self._lock.close()
                raise
            self._lines, self._crc, self._end = self._lines + 1, crc, self._end + len(data)

    @property
    def mark(self) -> Mark:
        """Where the next line will stand."""
        return Mark(self._end, self._lines, self._crc)

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

    def _in_a_file(self, event: StepCompleted) -> StepCompleted:
        try:
            return event._replace(result=self._blobs.put(event.result, self._temporary))
        except OSError as error:
            self._lock.close()
            what = f"{error.strerror}; {_what(event)} was not saved"
            raise JournalLost(f"cannot write in {self._blobs.folder}: {what}") from error

    def _check_owned(self) -> None:
        if os.getpid() != self._pid:  # asked of the kernel: C code may fork unheard by Python
            raise JournalLost(f"{self.path} belongs to process {self._pid}, not to its child")
        status = self._lock.status()
        if status is None:
            raise JournalLost(
                f"{self.path} is no longer open in this process: an append to it failed before, "
                "or the job closed a descriptor that is not its own"
            )
        if status.st_nlink == 0 or status.st_size != self._end:
            self._lock.close()
            what = "removed or replaced" if status.st_nlink == 0 else "changed"
            raise JournalLost(f"{self.path} was {what} by another program while the run executed")

    def _cut_back(self) -> bool:
        """Let go of the file; False if some or all of the last line may have been left in it."""
        try:
            os.ftruncate(self._lock.fd, self._end)
        except OSError:  # of a disk that has just gone read-only, for one
            return False
        finally:
            self._lock.close()
        return True


def create(path: Path, temporary_folder: Path, event: RunCreated) -> Journal | None:
    """The journal of a new run, durable and held; None if the name is taken."""
    data, crc = _line(0, event, codec.seed(event.run))
    fd, temporary = files.create(temporary_folder, path.name)
    lock = locks.acquire(fd)
    if lock is None:
        raise AssertionError(f"{temporary} is new, and locked")
    try:
        with files.naming(path):
            files.write_all(fd, data)
            files.sync(fd)
    except BaseException:
        os.unlink(temporary)
        lock.close()
        raise
    if not files.publish(temporary, path):
        lock.close()
        return None
    return Journal(lock, path, temporary_folder, lines=1, crc=crc, end=len(data))


def hold(path: Path, *, forever: bool = False, seconds: float | None = None) -> Lock:
    """The lock on the file that the path names, held.

    Busy if another process still holds it after some seconds; unless `forever`, which waits.
    """
    patience = PATIENCE_SECONDS if seconds is None else seconds
    while True:
        fd = files.open_existing(path, os.O_RDWR)
        if locks.is_mine(fd):
            os.close(fd)
            raise Busy(
                f"run {path.stem} is held by this very process: waiting for it would never end",
                hint="do not trigger or resume a run from inside one of its own steps",
            )
        lock = locks.wait(fd) if forever else locks.acquire(fd, seconds=patience)
        if lock is None:
            raise Busy(f"run {path.stem} is held by another process")
        if lock.names(path):
            return lock
        lock.close()


def sync(lock: Lock) -> None:
    """Return once the held journal is on disk: for who acts on an end that it did not write."""
    files.sync(lock.fd)


def take_over(
    lock: Lock, reading: Reading, path: Path, temporary_folder: Path
) -> tuple[Journal, str | None]:
    """Make the held, wholly read journal ours to append to.

    Also the name of the file that keeps the original, if whole lines of a torn tail were dropped.
    """
    has_lines = reading.torn is not None and reading.torn.has_lines
    kept = keep_original(lock, path, "torn") if has_lines else None
    return _replaced(lock, reading, path, temporary_folder), kept


def cut_off(
    lock: Lock, reading: Reading, path: Path, temporary_folder: Path, repaired: RunRepaired
) -> None:
    """Put the good lines of a held, damaged journal in its place, and that it was repaired."""
    _replaced(lock, reading, path, temporary_folder, repaired).close()


def _replaced(
    lock: Lock,
    reading: Reading,
    path: Path,
    temporary_folder: Path,
    added: RunRepaired | None = None,
) -> Journal:
    """A held copy of the good lines in the journal's place, with an event behind them, if given."""
    fd, temporary = files.create(temporary_folder, path.name)
    fresh = locks.acquire(fd)
    if fresh is None:
        raise AssertionError(f"{temporary} is new, and locked")
    try:
        with files.naming(path):
            end = _copy(lock.fd, fd, reading)
            lines, crc = reading.lines, reading.crc
            if added is not None:
                data, crc = _line(lines, added, crc)
                files.write_all(fd, data)
                lines, end = lines + 1, end + len(data)
            files.sync(fd)
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        fresh.close()
        raise
    files.sync_folder(path.parent)
    lock.close()
    return Journal(fresh, path, temporary_folder, lines=lines, crc=crc, end=end)


def _copy(source: int, target: int, reading: Reading) -> int:
    """Copy the good lines, byte by byte through memory: shared blocks would share their fate."""
    done = 0
    while done < reading.end:
        data = os.pread(source, min(_COPY_BYTES, reading.end - done), done)
        if not data:
            raise OSError(f"the journal shrank to {done} bytes while it was held")
        files.write_all(target, data)
        done += len(data)
    if reading.lacks_newline:
        files.write_all(target, b"\n")
        done += 1
    return done


def keep_original(lock: Lock, path: Path, why: str) -> str:
    """Keep the held journal beside itself as it is, durably; the name of the file."""
    files.sync(lock.fd)
    for number in range(1, 1_000_000):
        kept = path.with_name(f"{path.stem}.{why}-{number}")
        try:
            os.link(path, kept, follow_symlinks=False)
        except FileExistsError:
            if not os.path.samefile(path, kept):
                continue
        files.sync_folder(path.parent)
        return kept.name
    raise AssertionError("a million originals")


_OF_CHECKED_PARTS = frozenset({StepStarted, StepCompleted})
"""Events of every step, which has looked at each of their parts: not looked at again, for speed."""


def _line(seq: int, event: Event, previous: int) -> codec.Line:
    """The line of an event, which every reader takes. ValueError or TypeError if there is none."""
    line = codec.encode(seq, event, previous)
    try:
        codec.check(line[0], seq)
    except codec.BadLine as bad:
        if isinstance(bad.__context__, RecursionError):  # the caller's stack is too full to know
            raise bad.__context__ from None
        raise
    return line


def _what(event: Event) -> str:
    if isinstance(event, StepCompleted):
        return f"the result of step {event.name!r}"
    if isinstance(event, StepFailed):
        return f"the failure of step {event.name!r}"
    if isinstance(event, LogWritten):
        return "a log line"
    return f"its {codec.name_of(event)} event"
