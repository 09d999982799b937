"""What a disk may hold after a power cut, made from the log of its writes.

What was written before a flush was answered is on the disk. Of what was written after it, a power
cut leaves all, some, or part of a write: whole sectors. Not of the superblock: a file system cannot
be mounted itself if a disk tears that.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.harness.disks import FileSystem
from tests.harness.recording_disk import FLUSH, HEADER

_BLOCK = 4096


class Write(NamedTuple):
    """So many bytes that were written there."""

    offset: int
    data: bytes


class Record(NamedTuple):
    """A write, or None for a flush; and how long the log is with it."""

    write: Write | None
    end: int


class Cut(NamedTuple):
    """A power cut when the log was so long, and what was lost."""

    log_size: int
    what: str


def read_log(log: Path) -> list[Record]:
    """All that the disk was asked for, in order."""
    data, records, at = log.read_bytes(), [], 0
    while at < len(data):
        offset, size = HEADER.unpack_from(data, at)
        at += HEADER.size + size
        records.append(Record(None if offset == FLUSH else Write(offset, data[at - size : at]), at))
    return records


def copy(image: Path, target: Path) -> None:
    """Copy an image, with its holes."""
    subprocess.run((str(shutil.which("cp")), "--sparse=auto", image, target), check=True)


class PowerCuts:
    """The power cuts that are possible while a disk, whose image is at its state before, is used.

    The image is brought on by what was flushed.
    """

    def __init__(self, image: Path, log: Path, file_system: FileSystem, seed: int) -> None:
        self._image, self._records = image, read_log(log)
        self._file_system, self._chance = file_system, random.Random(seed)

    def some(self, wanted: int, sizes: Iterable[int], target: Path) -> Iterator[Cut]:
        """So many, in the order of the log, each with the disk as it is then in this file.

        The first half keep every write; among them are those when the log had one of these sizes.
        """
        ends = [record.end for record in self._records]
        writes = [n for n, record in enumerate(self._records, 1) if record.write]
        whole = {bisect_right(ends, size) for size in sizes}
        whole |= {*self._chance.choices(range(1, len(ends)), k=max(0, wanted // 2 - len(whole)))}
        lossy = Counter(self._chance.choices(writes, k=wanted - len(whole)))
        pending = list[Write]()
        for n, record in enumerate(self._records, 1):
            if record.write:
                pending.append(record.write)
            else:
                _apply(pending, self._image)
                pending = []
            if n in whole:
                yield self._cut(pending, target, Cut(record.end, f"all of {n} records"))
            for _ in range(lossy[n]):
                left, what = self._survivors(pending)
                yield self._cut(left, target, Cut(record.end, f"{what}, at record {n}"))

    def _cut(self, left: list[Write], target: Path, cut: Cut) -> Cut:
        copy(self._image, target)
        _apply(left, target)
        return cut

    def _survivors(self, pending: list[Write]) -> tuple[list[Write], str]:
        """Some of the writes that were not flushed, and some sectors of the last one."""
        *earlier, last = pending
        left = [write for write in earlier if self._chance.random() < 0.5]
        what = f"{len(left)} of {len(earlier)} writes"
        superblock = self._file_system.superblock
        if last.offset < superblock + _BLOCK and superblock < last.offset + len(last.data):
            return left, f"{what}, and not the superblock"
        torn = list(self._some_sectors(last))
        return left + torn, f"{what}, and {len(torn)} sectors of the last"

    def _some_sectors(self, write: Write) -> Iterator[Write]:
        """Its first sectors, or any of them."""
        chance, size = self._chance, self._file_system.sector
        count = -(-len(write.data) // size)
        first = chance.randrange(count + 1) if chance.random() < 0.5 else None
        for n in range(count):
            if n < first if first is not None else chance.random() < 0.5:
                yield Write(write.offset + n * size, write.data[n * size : (n + 1) * size])


def _apply(writes: list[Write], image: Path) -> None:
    with image.open("r+b") as file:
        for write in writes:
            os.pwrite(file.fileno(), write.data, write.offset)
