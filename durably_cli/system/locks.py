"""Exclusive locks on open files, which the kernel drops when their process dies.

On Linux they are open-file-description locks, so that asking whether one is held never gets in
its owner's way; on macOS they are `flock`. There are no leases, heartbeats or pid files.

A forked child shares its parent's locks, and would keep a dead parent's run held: so it closes
its copies at once. Closing a copy lets go of nothing; only `F_UNLCK` would, and nobody sends that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time
import weakref

_POLL_SECONDS = 0.02


class Lock:
    """Owns an open file and the exclusive lock on it, until `close` or the process's death."""

    __slots__ = ("__weakref__", "fd", "identity")

    def __init__(self, fd: int, identity: tuple[int, int]) -> None:
        self.fd = fd
        self.identity = identity
        _mine.add(self)

    def names(self, path: str | os.PathLike[str]) -> bool:
        """Does this path still lead to the locked file?"""
        try:
            return _identity(os.stat(path, follow_symlinks=False)) == self.identity
        except FileNotFoundError:
            return False

    def status(self) -> os.stat_result | None:
        """The locked file's status; None if the descriptor is no longer that file.

        A step may have closed it, and another file may have its number.
        """
        try:
            status = os.fstat(self.fd)
        except OSError:  # of one that was closed, here too
            return None
        return status if (status.st_dev, status.st_ino) == self.identity else None

    def close(self) -> None:
        """Let go of the lock and the file; twice does no harm."""
        fd, is_ours = self.fd, self.status() is not None
        self.fd = -1
        _mine.discard(self)
        if is_ours:
            os.close(fd)


_mine: weakref.WeakSet[Lock] = weakref.WeakSet()


def _forget_after_fork() -> None:
    for lock in list(_mine):
        lock.close()


os.register_at_fork(after_in_child=_forget_after_fork)


def acquire(fd: int, *, seconds: float = 0.0) -> Lock | None:
    """The lock on this open file, or None if it is still held elsewhere after `seconds`.

    The descriptor belongs to the lock from then on; on None it is closed.
    """
    deadline = time.monotonic() + seconds
    try:
        while not _set(fd, wait=False):
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(_POLL_SECONDS)
        return Lock(fd, _identity(os.fstat(fd)))
    except BaseException:
        _close_quietly(fd)
        raise


def wait(fd: int) -> Lock:
    """The lock on this open file, however long that takes; a signal's exception ends the wait."""
    try:
        _set(fd, wait=True)
        return Lock(fd, _identity(os.fstat(fd)))
    except BaseException:
        _close_quietly(fd)
        raise


def is_held(fd: int) -> bool:
    """Does anyone hold the lock on this open file?"""
    if is_mine(fd):
        return True
    if sys.platform == "linux":
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def is_mine(fd: int) -> bool:
    """Does this very process hold the lock on this open file?"""
    identity = _identity(os.fstat(fd))
    return any(lock.identity == identity for lock in list(_mine))


def _set(fd: int, *, wait: bool) -> bool:
    try:
        if sys.platform == "linux":
            command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
            fcntl.fcntl(fd, command, _flock(fcntl.F_WRLCK))
        else:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _flock(kind: int) -> bytes:
    """A `struct flock` over the whole file: type, whence, start, length, pid."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _close_quietly(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass
