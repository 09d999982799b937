"""Repairing a damaged journal: what stands before the damage stays, the rest is cut off.

The original is saved beside the journal first, synced. The repaired one is made whole, with the
event that says so in it, and only then takes the journal's place: killed at any point, either the
damaged journal or the repaired one is there.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from durably_cli.engines import who
from durably_cli.engines.local.store import Store
from durably_cli.errors import JournalDamaged, JournalError
from durably_cli.journal import ownership
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import RunRepaired
from durably_cli.journal.large import lost
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.step_events import StepCompleted
from durably_cli.system import clock


class Cut(NamedTuple):
    """Where a journal is to be cut, and why: what stays of it, and what is dropped."""

    line: int
    byte: int
    reason: str
    good_lines: int
    good_steps: int
    good_bytes: int
    dropped_lines: int
    dropped_bytes: int


def repair(store: Store, run_id: str, cut: Cut) -> str:
    """Cut the journal there; the name of the file beside it that keeps all of it.

    Busy if a process holds the run; JournalError if it is no longer as it was looked at.
    """
    path, lock = store.path_of(run_id), store.hold(run_id)
    try:
        reading = JournalReader(lock.fd, path, run_id, doubt=lost(Blobs(path)))
        if _cut(reading, lock.fd) != cut:
            raise JournalError(f"{path} has changed since it was looked at", hint="try again")
        original = ownership.keep_original(lock, path, "damaged")
        repaired = RunRepaired(
            by=who.user(),
            host=who.host(),
            line=cut.line,
            byte=cut.byte,
            reason=cut.reason,
            lines=cut.dropped_lines,
            bytes=cut.dropped_bytes,
            kept=original,
            at=clock.now(),
        )
        ownership.cut_off(lock, reading, path, store.temporary, repaired)
    finally:
        lock.close()
    return original


def find_cut(store: Store, run_id: str) -> Cut | None:
    """Where to cut a damaged journal; None if it is not damaged.

    JournalDamaged if its very first line is: then nothing would be left.
    """
    path, lock = store.path_of(run_id), store.hold(run_id)
    try:
        return _cut(JournalReader(lock.fd, path, run_id, doubt=lost(Blobs(path))), lock.fd)
    finally:
        lock.close()


def _cut(reading: JournalReader, fd: int) -> Cut | None:
    steps = 0
    try:
        for event in reading:
            steps += isinstance(event, StepCompleted)
    except JournalDamaged as damage:
        if not reading.lines:
            raise
        dropped = os.fstat(fd).st_size - reading.end
        lines = _lines_after(fd, reading.end)
        place = damage.line, damage.byte, damage.reason
        return Cut(*place, reading.lines, steps, reading.end, lines, dropped)
    return None


def _lines_after(fd: int, start: int) -> int:
    with open(os.dup(fd), "rb") as file:
        file.seek(start)
        return sum(1 for _ in file)
