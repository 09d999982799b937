"""A disk for the python plugin of nbdkit: it logs each write and each flush, and fails when asked.

image=FILE   the disk
log=FILE     where each write and each flush is logged, in their order, before it is answered
fault=FILE   `once` in it fails one write, and `on` every write, while it is there
"""

from __future__ import annotations

import builtins
import errno
import os
import struct

API_VERSION = 2
HEADER = struct.Struct("<QI")
FLUSH = 2**64 - 1

_paths: dict[str, str] = {}
_open: dict[str, int] = {}


def config(key: str, value: str) -> None:
    _paths[key] = value


def get_ready() -> None:
    _open["image"] = os.open(_paths["image"], os.O_RDWR)
    _open["log"] = os.open(_paths["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def open(readonly: bool) -> int:
    return 1


def get_size(handle: int) -> int:
    return os.fstat(_open["image"]).st_size


def pread(handle: int, buffer: bytearray, offset: int, flags: int) -> None:
    os.preadv(_open["image"], [buffer], offset)


def pwrite(handle: int, buffer: bytearray, offset: int, flags: int) -> None:
    _fail_if_asked()
    os.pwrite(_open["image"], buffer, offset)
    os.writev(_open["log"], [HEADER.pack(offset, len(buffer)), buffer])


def flush(handle: int, flags: int) -> None:
    os.write(_open["log"], HEADER.pack(FLUSH, 0))


def _fail_if_asked() -> None:
    if os.path.exists(_paths["fault"]):
        with builtins.open(_paths["fault"]) as file:
            if file.read() == "once":
                os.unlink(_paths["fault"])
        import nbdkit  # there only when nbdkit runs this

        nbdkit.set_error(errno.EIO)
        raise OSError(errno.EIO, "asked to fail")
