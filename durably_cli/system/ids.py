"""Run ids: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta

from durably_cli.system import clock

SHORT = 8
"""How many of an id's last characters are shown; its head is the clock, and repeats."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new() -> str:
    """A new id: 48 bits of milliseconds, 12 of their fractions, 62 random ones."""
    ms, ns = divmod(clock.time_ns(), 1_000_000)
    fraction = ns * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") >> 2
    number = (ms << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | random
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def of_child(run_id: str, step: str, discarded: int = 0) -> str:
    """The id of the run that is this step of another one, and as old as that one: always the same,
    but for a step that was discarded.
    """
    from hashlib import sha256  # few runs have any

    head = f"{run_id}#{discarded}" if discarded else run_id  # as no name stands there
    digits = sha256(f"{head} {step}".encode("utf-8", "surrogatepass")).hexdigest()
    variant = "89ab"[int(digits[3], 16) % 4]
    return f"{run_id[:14]}7{digits[:3]}-{variant}{digits[4:7]}-{digits[7:19]}"


def is_id(text: str) -> bool:
    """Is this a whole run id, as `new` makes them?"""
    return _ID.fullmatch(text) is not None


def made_at(run_id: str) -> datetime:
    """When the id was made, to the millisecond, in UTC; the last moment there is, if later."""
    try:
        return _EPOCH + timedelta(milliseconds=int(run_id[:8] + run_id[9:13], 16))
    except OverflowError:
        return datetime.max.replace(microsecond=999_000, tzinfo=UTC)


def day(run_id: str) -> str:
    """The UTC day the id was made on, as yyyy-mm-dd."""
    return f"{made_at(run_id):%Y-%m-%d}"


def short(run_id: str) -> str:
    """The part of the id that people read and type."""
    return run_id[-SHORT:]
