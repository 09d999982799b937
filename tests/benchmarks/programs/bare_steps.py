"""Bare loops that make results durable: bare_steps.py KIND NUMBER FOLDER prints the seconds.

`one line` and `two lines` are what a step writes of JSON with a checksum: its result, synced, and
before it that it began; `sqlite` is a row a step, each in a transaction, WAL and synchronous FULL.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from zlib import crc32


def result_of(number: int) -> dict[str, object]:
    """What a step returns."""
    return {"id": number, "ok": True, "name": f"user-{number}"}


def now() -> str:
    """The time as a journal has it."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"


def lines(number: int, folder: Path, *, both: bool) -> Callable[[], None]:
    """A loop that writes one or both lines of each step."""
    fd = os.open(folder / "bare.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    to_json = json.JSONEncoder(separators=(",", ":")).encode
    seq = crc = 0

    def write(fields: dict[str, object]) -> None:
        nonlocal seq, crc
        body = to_json({"seq": seq, **fields, "at": now()})[:-1].encode()
        crc = crc32(body, crc)
        os.write(fd, body + b',"crc":"%08x"}\n' % crc)
        seq += 1

    def loop() -> None:
        for each in range(number):
            name = f"sync-{each}"
            if both:
                write({"type": "step.started", "name": name})
            write({"type": "step.completed", "name": name, "ms": 0, "result": result_of(each)})
            os.fdatasync(fd)

    return loop


def sqlite(number: int, folder: Path) -> Callable[[], None]:
    """A loop that puts each step into a table."""
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("DROP TABLE IF EXISTS steps")
    database.execute("CREATE TABLE steps (name TEXT PRIMARY KEY, at TEXT, result TEXT)")

    def loop() -> None:
        for each in range(number):
            row = f"sync-{each}", now(), json.dumps(result_of(each))
            database.execute("INSERT INTO steps VALUES (?, ?, ?)", row)

    return loop


def main(kind: str, number: int, folder: Path) -> None:
    """Print how long the loop took."""
    loop = sqlite(number, folder) if kind == "sqlite" else None
    loop = loop or lines(number, folder, both=kind == "two lines")
    begun = time.perf_counter()
    loop()
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
