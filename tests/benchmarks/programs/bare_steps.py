"""Bare loops that make results durable, a step at a time.

One line and two lines are what a step writes of JSON with a checksum: its result, synced, and
before it that it began; SQLite is a row a step, each in a transaction, WAL and synchronous FULL.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

Loop = Callable[[int], None]
"""Makes the result of the step of this number durable."""


def result_of(number: int) -> dict[str, object]:
    """What a step returns."""
    return {"id": number, "ok": True, "name": f"user-{number}"}


def now() -> str:
    """The time as a journal has it."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"


def lines(folder: Path, *, both: bool) -> Loop:
    """What writes one or both lines of a step."""
    path = folder / ("two.jsonl" if both else "one.jsonl")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    to_json = json.JSONEncoder(separators=(",", ":")).encode
    seq = crc = 0

    def write(fields: dict[str, object]) -> None:
        nonlocal seq, crc
        body = to_json({"seq": seq, **fields, "at": now()})[:-1].encode()
        crc = crc32(body, crc)
        os.write(fd, body + b',"crc":"%08x"}\n' % crc)
        seq += 1

    def once(number: int) -> None:
        name = f"sync-{number}"
        if both:
            write({"type": "step.started", "name": name})
        write({"type": "step.completed", "name": name, "ms": 0, "result": result_of(number)})
        os.fdatasync(fd)

    return once


def sqlite(folder: Path) -> Loop:
    """What puts a step into a table."""
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS steps (name TEXT, at TEXT, result TEXT)")

    def once(number: int) -> None:
        row = f"sync-{number}", now(), json.dumps(result_of(number))
        database.execute("INSERT INTO steps VALUES (?, ?, ?)", row)

    return once


def one_line(folder: Path) -> Loop:
    """What writes the result alone."""
    return lines(folder, both=False)


def two_lines(folder: Path) -> Loop:
    """What writes that a step began, too."""
    return lines(folder, both=True)


LOOPS = {"two lines": two_lines, "one line": one_line, "SQLite": sqlite}
