"""When a folder was made, which tells it from a later one of the same inode number."""

from __future__ import annotations

import os
import sys

_AT_FDCWD = -100
_BIRTH = 0x800
_MASK, _SECONDS, _NANOSECONDS, _SIZE = slice(0, 4), slice(80, 88), slice(88, 92), 256
"""Where `struct statx` has them, on every machine."""


def born(path: str | os.PathLike[str]) -> int | None:
    """When it was made, in nanoseconds; None if the file system or the C library cannot say."""
    status = os.stat(path)
    seconds = getattr(status, "st_birthtime", None)  # macOS
    if seconds is not None:
        return int(seconds * 1e9)
    import ctypes  # rarely needed

    try:
        statx = ctypes.CDLL(None).statx
    except (OSError, AttributeError):  # of a C library that is old, or has no such call
        return None
    found = ctypes.create_string_buffer(_SIZE)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _BIRTH, found):
        return None
    if not int.from_bytes(found.raw[_MASK], sys.byteorder) & _BIRTH:
        return None
    whole = int.from_bytes(found.raw[_SECONDS], sys.byteorder, signed=True)
    return whole * 1_000_000_000 + int.from_bytes(found.raw[_NANOSECONDS], sys.byteorder)
