"""Files of the user's, looked at: what is in one, and what became of it since."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from durably_cli.errors import ValueRefused
from durably_cli.values.quantities import plural
from durably_cli.values.strict_json import printable


class Seen(NamedTuple):
    """What was seen of a file; `mtime` is in nanoseconds, None if nobody says."""

    size: int
    mtime: int | None
    sha256: str


def look(path: Path) -> Seen:
    """What is in a regular file, through links. ValueRefused if it is none, or is being written."""
    name = printable(str(path))
    try:
        before = os.stat(path)  # to open a device may do something
        _refuse_irregular(name, before.st_mode)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            opened = os.fstat(fd)
            _refuse_irregular(name, opened.st_mode)  # a FIFO in its place opens, and gives nothing
            sha256 = _sha256_of(fd)
            read = os.lseek(fd, 0, os.SEEK_CUR)
        finally:
            os.close(fd)
        after = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueRefused("$", f"{name} is not there{_in_which_folder(path)}") from None
    except (OSError, ValueError) as error:
        raise ValueRefused("$", _unreadable(name, error)) from None
    if not _trait(before) == _trait(opened) == _trait(after) or read != after.st_size:
        raise ValueRefused(
            "$", f"{name} changed while it was read: return it when it is written and closed"
        )
    return Seen(read, after.st_mtime_ns, sha256)


def is_as_seen(path: Path, seen: Seen) -> bool:
    """Is the file's size and time as it was? What is in it is not read."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == seen[:2]


def change_since(path: Path, seen: Seen) -> str | None:
    """What became of the file, in words; None if the same is in it, though it may be touched."""
    if is_as_seen(path, seen):
        return None
    name = printable(str(path))
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return f"{name} is gone"
    except (OSError, ValueError) as error:
        return _unreadable(name, error)
    if not stat.S_ISREG(status.st_mode):
        return f"{name} is {_kind(status.st_mode)} now"
    if status.st_size != seen.size:
        return f"{name} has changed ({plural(status.st_size, 'byte')}, it had {seen.size:,})"
    try:
        now = look(path)
    except ValueRefused as refused:
        return refused.reason
    return None if now.sha256 == seen.sha256 else f"{name} has changed (its sha256 is another)"


def _sha256_of(fd: int) -> str:
    from hashlib import file_digest  # loads OpenSSL, which few results need

    with open(fd, "rb", buffering=0, closefd=False) as file:
        return file_digest(file, "sha256").hexdigest()


def _trait(status: os.stat_result) -> tuple[int, ...]:
    """What is another one once something was written, or another file has the name."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _refuse_irregular(name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise ValueRefused(
            "$", f"{name} is a folder; a File is one file: return a list of those in it"
        )
    if not stat.S_ISREG(mode):
        raise ValueRefused("$", f"{name} is {_kind(mode)}; a File is a regular file")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _in_which_folder(path: Path) -> str:
    """Which folder a relative path was looked for in."""
    try:
        return "" if path.is_absolute() else f", in {printable(os.getcwd())}"
    except OSError:  # that is gone as well
        return ""


def _unreadable(name: str, error: Exception) -> str:
    return f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"
