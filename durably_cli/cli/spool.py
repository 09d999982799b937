"""Files without a name, of this user only, for what is printed."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import BinaryIO

from durably_cli.engines.local.store import Store
from durably_cli.system import files


def spool(store: Store) -> BinaryIO:
    """One on the disk of the store."""
    return open(_on_disk(store), "w+b")


class SpoolOfJob:
    """One that a job may close, or give its number to a file of its own, at any time.

    A `copy` of what is seen elsewhere is small, and in memory.
    """

    def __init__(self, store: Store, *, copy: bool) -> None:
        self.fd = _in_memory() if copy and _HAS_MEMORY else _somewhere(store)
        status = os.fstat(self.fd)
        self._identity = status.st_dev, status.st_ino
        self.file = os.fdopen(self.fd, "r+b", closefd=False)

    def size(self) -> int:
        """How many bytes are in it. OSError if it is there no more."""
        status = os.fstat(self.fd)
        if (status.st_dev, status.st_ino) != self._identity:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return status.st_size

    def write(self, data: memoryview) -> None:
        """Write behind what is in it. OSError if it is there no more, or a disk is full."""
        self.size()
        os.write(self.fd, data)

    def close(self) -> None:
        """Close it, and no other file that has its number now."""
        with suppress(OSError):
            self.size()
            os.close(self.fd)


def _on_disk(store: Store) -> int:
    fd, path = files.create(store.temporary, "printed")
    os.unlink(path)
    return fd


def _somewhere(store: Store) -> int:
    """A disk that is full or read-only keeps no one from the output of a run that has ended."""
    try:
        return _on_disk(store)
    except OSError:
        if not _HAS_MEMORY:
            raise
        return _in_memory()


_HAS_MEMORY = hasattr(os, "memfd_create")


def _in_memory() -> int:
    return os.memfd_create("durably-printed")
