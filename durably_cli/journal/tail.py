"""What stands behind the last good line of a journal: a torn tail, or damage."""

from __future__ import annotations

import re
from typing import NamedTuple

from durably_cli.journal.lenient import PEEK

SECTOR = 512
"""What a disk writes whole or not at all; some write more."""

_PRINTABLE = rb"[ -~]*"


class Torn(NamedTuple):
    """What a crash left behind the last good line: where, how much, and are lines in it."""

    at: int
    size: int
    has_lines: bool


def is_cut_short(rest: bytes, seq: int) -> bool:
    """Is this the beginning of line `seq`, and not the whole of one?"""
    head = b'{"seq":%d,"type":"' % seq
    return (
        rest[: len(head)] == head[: len(rest)]
        and re.fullmatch(_PRINTABLE, rest) is not None
        and not begins_whole_object(rest)
    )


def has_zeroed_sector(rest: bytes, offset: int) -> bool:
    """Is some 512-byte-aligned chunk of the file, cut to these bytes at `offset`, all zero?"""
    start = 0
    while start < len(rest):
        stop = min(len(rest), start + SECTOR - (offset + start) % SECTOR)
        if not any(rest[start:stop]):
            return True
        start = stop
    return False


def begins_whole_object(data: bytes) -> bool:
    """Is a complete JSON object the first thing in these bytes?"""
    try:
        PEEK(data.decode("ascii", "replace"))
    except (ValueError, RecursionError):
        return False
    return True
