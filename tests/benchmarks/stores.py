"""Stores of many runs, written as durably writes them but without a sync: in seconds, not hours."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from durably_cli.journal import codec
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.system import clock, ids
from durably_cli.values.strict_json import Json, to_json

DAYS = 100
"""Over how many days the runs of a store are spread."""

JOBS = ("sync-users", "send-invoices", "thumbnails", "nightly-report")
RARE = "year-end"
"""A job that was run once, on the oldest day."""


def fill(runs: Path, number: int, days: int = DAYS) -> list[str]:
    """Put so many runs of three steps into this folder of a store; their ids, oldest first.

    One in a hundred has failed, none in the newest half; the oldest is the one of RARE.
    """
    first = datetime.now(UTC) - timedelta(days=days)
    made = []
    for position in range(number):
        at = first + timedelta(days=days) * position / number
        run_id = id_made_at(at)
        fails = position % 100 == 50 and position < number / 2
        job = RARE if position == 0 else JOBS[position % len(JOBS)]
        write(runs, run_id, story(run_id, job, clock.format_time(at), fails=fails))
        made.append(run_id)
    return made


def story(
    run_id: str,
    job: str,
    at: str,
    *,
    given: str = '{"org_id":"org_123","force":false}',
    steps: int = 3,
    size: int = 0,
    fails: bool = False,
) -> Iterator[Event]:
    """The events of a run that ended."""
    labels = {"team": random.choice("abcdefgh")}
    yield RunCreated(
        FORMAT, run_id, job, Json(given), at, labels=labels, project="/p", pid=1, host="h"
    )
    yield RunStarted(1, 1, "h", at, {"durably": "0", "python": "3"}, "sha256:" + 64 * "0")
    for number in range(steps):
        yield StepStarted(f"step-{number}", at)
        yield StepCompleted(f"step-{number}", 12, result(number, size), at)
    if fails:
        yield RunHasFailed(ErrorInfo("ValueError", "no", "Traceback ..."), at)
    else:
        yield RunCompleted(Json("null"), at)


def result(number: int, size: int = 0) -> Json:
    """The JSON of a small result, or of one of so many bytes."""
    return Json(to_json({"id": number, "ok": True, "name": f"user-{number}".ljust(size, "-")}))


def write(runs: Path, run_id: str, events: Iterator[Event]) -> Path:
    """Write a journal."""
    folder = runs / ids.day(run_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, crc, data = folder / f"{run_id}.jsonl", codec.seed(run_id), bytearray()
    for seq, event in enumerate(events):
        line, crc = codec.encode(seq, event, crc)
        data += line
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    return path


def id_made_at(moment: datetime) -> str:
    """A run id as it would have been made then."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7{ids.new()[15:]}"
