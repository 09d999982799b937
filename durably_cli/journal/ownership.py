"""Becoming the owner of a run's journal, and what an owner may do to the file as a whole.

- **Own.** The exclusive lock on the journal's open file makes a process the run's owner, until the
  run's end is durable or the process dies.
- **Create.** A temporary file is locked, filled, synced and only then linked to its name: a journal
  that can be seen is whole, and held.
- **Take over.** An attempt appends to nothing that another process left behind. It copies the good
  lines to a new locked file, syncs it, renames it over the old one, and lets go of that one last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from zlib import crc32

from durably_cli.errors import Busy
from durably_cli.journal import codec
from durably_cli.journal.blobs import LIMIT, Blobs
from durably_cli.journal.codec import line_of
from durably_cli.journal.events import InputStored, RunCreated, RunRepaired
from durably_cli.journal.fast_codec import line_of_any
from durably_cli.journal.reader import JournalReader, Position
from durably_cli.journal.registry import Event
from durably_cli.journal.writer import Journal
from durably_cli.system import files, locks
from durably_cli.system.ids import short
from durably_cli.system.locks import Lock

PATIENCE_SECONDS = 3.0
"""How long a resume waits for the lock: a dying process with much memory frees it late."""

_COPY_BYTES = 1 << 16


def create_journal(
    path: Path,
    temporary_folder: Path,
    event: RunCreated,
    prepare: Callable[[], Iterable[Event]] = tuple,
) -> Journal | None:
    """The journal of a new run, durable and held; None if the name is taken.

    A large input is in a file of its own before the journal has its name, and so is what `prepare`
    puts beside it, which gives the events that follow; the lock on the journal keeps others from
    removing such files as leftovers.
    """
    seed = codec.seed(event.run)
    data, crc = line_of(0, event, seed)
    is_large = len(event.input) > LIMIT
    fd, temporary = files.create(temporary_folder, path.name)
    lock = locks.acquire(fd)
    if lock is None:
        raise AssertionError(f"{temporary} is new, and locked")
    try:
        with files.with_path(path):
            if is_large:
                reference = Blobs(path).put_input(event.input, temporary_folder)
                event = event._replace(input=reference, input_bytes=len(event.input))
                head, crc = line_of(0, event, seed)
                tail, crc = line_of(1, InputStored(event.at), crc)
                data = head + tail
            lines = [data]
            for seq, each in enumerate(prepare(), 1 + is_large):
                line, crc = line_of_any(seq, each, crc)
                lines.append(line)
            data = b"".join(lines)
            files.write_all(fd, data)
            files.sync(fd)
        is_new = files.publish(temporary, path)
    except BaseException:
        lock.close()
        temporary.unlink(missing_ok=True)
        raise
    if not is_new:
        lock.close()
        return None
    mark = Position(len(data), len(lines) + is_large, crc)
    return Journal(lock, path, temporary_folder, mark, crc32(data))


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
                f"run {short(path.stem)} is held by this very process: "
                "waiting for it would never end",
                hint="do not trigger or resume a run from inside one of its own steps",
            )
        lock = locks.wait(fd) if forever else locks.acquire(fd, seconds=patience)
        if lock is None:
            raise Busy(f"run {short(path.stem)} is held by another process")
        if lock.names(path):
            return lock
        lock.close()


def sync_held(lock: Lock) -> None:
    """Return once the held journal is on disk: for who acts on an end that it did not write."""
    files.sync(lock.fd)


def take_over(
    lock: Lock, reading: JournalReader, path: Path, temporary_folder: Path
) -> tuple[Journal, str | None]:
    """Make the held, wholly read journal ours to append to.

    Also the name of the file that keeps the original, if whole lines of a torn tail were dropped.
    """
    has_lines = reading.torn is not None and reading.torn.has_lines
    original = keep_original(lock, path, "torn") if has_lines else None
    return _replaced(lock, reading, path, temporary_folder), original


def cut_off(
    lock: Lock, reading: JournalReader, path: Path, temporary_folder: Path, repaired: RunRepaired
) -> None:
    """Put the good lines of a held, damaged journal in its place, and that it was repaired."""
    _replaced(lock, reading, path, temporary_folder, repaired).close()


def _replaced(
    lock: Lock,
    reading: JournalReader,
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
        with files.with_path(path):
            end = _copy(lock.fd, fd, reading)
            lines, crc, digest = reading.lines, reading.crc, reading.digest
            if added is not None:
                data, crc = line_of(lines, added, crc)
                files.write_all(fd, data)
                lines, end, digest = lines + 1, end + len(data), crc32(data, digest)
            files.sync(fd)
        os.rename(temporary, path)
        files.sync_folder(path.parent)
    except BaseException:
        fresh.close()
        temporary.unlink(missing_ok=True)
        raise
    lock.close()
    return Journal(fresh, path, temporary_folder, Position(end, lines, crc), digest)


def _copy(source: int, target: int, reading: JournalReader) -> int:
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
        original = path.with_name(f"{path.stem}.{why}-{number}")
        try:
            os.link(path, original, follow_symlinks=False)
        except FileExistsError:
            if not os.path.samefile(path, original):
                continue
        files.sync_folder(path.parent)
        return original.name
    raise AssertionError("a million originals")
