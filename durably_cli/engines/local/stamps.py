"""What tells a file or a folder from what it was before, for what is remembered of it."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

Stamp = list[int | str]

SETTLED_NS = 1_000_000_000
"""How old the last change must be: another one may come in the same tick of the clock."""


def stamp_of(path: str | os.PathLike[str]) -> Stamp:
    """What tells a file or folder from what it was before; empty if there is none.

    A backup that is put back may have its old mtime, but not its old ctime.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return []
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return [status.st_dev, status.st_ino, status.st_size, *changed]


def is_settled(stamp: Stamp) -> bool:
    """Has it not changed just now, so that it can change no more unseen?"""
    return bool(stamp) and time.time_ns() - int(stamp[-1]) > SETTLED_NS


def settled_stamp(path: str | os.PathLike[str]) -> Stamp:
    """That of a file or folder, and the machine's boot; empty if it may change again unseen.

    Power that fails may take the end of a journal that was seen, and was not on disk yet, and no
    folder tells.
    """
    stamp = stamp_of(path)
    return [*stamp, boot()] if is_settled(stamp) else []


@functools.cache
def boot() -> str:
    """Which boot of the machine this is; empty where the system does not say (macOS)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
