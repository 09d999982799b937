"""What a disk may hold after a power cut, made from the log of its writes.

What was written before a flush was answered is on the disk. Of what was written after it, a power
cut leaves all, some, or part of a write: whole sectors. Not of the superblock: a file system cannot
be mounted itself if a disk tears that.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.harness.recording_disk import FLUSH, HEADER

_BLOCK = 4096


class Write(NamedTuple):
    """So many bytes that were written there."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + len(self.data)


class Record(NamedTuple):
    """A write, or None for a flush; and how long the log is with it."""

    write: Write | None
    end: int


def read_log(log: Path) -> list[Record]:
    """All that the disk was told, in order."""
    data, records, at = log.read_bytes(), [], 0
    while at < len(data):
        offset, size = HEADER.unpack_from(data, at)
        at += HEADER.size + size
        records.append(Record(None if offset == FLUSH else Write(offset, data[at - size : at]), at))
    return records


class Image:
    """The bytes of a disk: its blocks that are not all zero."""

    def __init__(self, size: int, blocks: dict[int, bytes]) -> None:
        self.size, self._blocks = size, blocks

    @staticmethod
    def read(path: Path) -> Image:
        """The image in this file."""
        blocks, zero = {}, bytes(_BLOCK)
        with open(path, "rb") as file:
            for number in range(path.stat().st_size // _BLOCK):
                if (block := file.read(_BLOCK)) != zero:
                    blocks[number] = block
        return Image(path.stat().st_size, blocks)

    def with_writes(self, writes: list[Write]) -> Image:
        """The image after these writes, too."""
        image = Image(self.size, dict(self._blocks))
        for write in writes:
            image.apply(write)
        return image

    def apply(self, write: Write) -> None:
        """Write so many bytes there."""
        first, start = divmod(write.offset, _BLOCK)
        stop = start + len(write.data)
        count = -(-stop // _BLOCK)
        span = bytearray().join(self._block(first + n) for n in range(count))
        span[start:stop] = write.data
        for n in range(count):
            self._blocks[first + n] = bytes(span[n * _BLOCK : (n + 1) * _BLOCK])

    def save(self, path: Path) -> None:
        """Make the image in this file, with holes where it is zero."""
        with open(path, "wb", buffering=1 << 20) as file:
            at = 0
            for number, block in sorted(self._blocks.items()):
                if number != at:
                    file.seek(number * _BLOCK)
                file.write(block)
                at = number + 1
            file.truncate(self.size)

    def _block(self, number: int) -> bytes:
        return self._blocks.get(number, bytes(_BLOCK))


class Cut(NamedTuple):
    """A power cut when the log was so long, and what the disk holds after it."""

    log_size: int
    what: str
    image: Image


class PowerCuts:
    """The power cuts that are possible while a disk is told these records."""

    def __init__(
        self,
        base: Image,
        records: list[Record],
        superblock: int,
        sector: int,
        chance: random.Random,
    ) -> None:
        self._base, self._records = base, records
        self._superblock, self._sector, self._chance = superblock, sector, chance

    def some(self, wanted: int, sizes: Iterable[int]) -> Iterator[Cut]:
        """So many, in the order of the log; the first half keep every write, the rest do not.

        Among the first are those when the log had one of these sizes.
        """
        records = self._records
        some_lost = [n for n, pending in enumerate(_pending_counts(records)) if pending]
        whole = self._whole(wanted // 2, sizes)
        lossy = Counter(self._chance.choices(some_lost, k=wanted - len(whole)))
        safe, pending, size = self._base.with_writes([]), list[Write](), 0
        for n in range(len(records) + 1):
            if n in whole:
                yield Cut(size, f"all of {n} records", safe.with_writes(pending))
            for _ in range(lossy[n]):
                kept, what = self._survivors(pending)
                yield Cut(size, f"{what}, at record {n}", safe.with_writes(kept))
            if n < len(records):
                size = records[n].end
                if (write := records[n].write) is not None:
                    pending.append(write)
                else:
                    for each in pending:
                        safe.apply(each)
                    pending = []

    def _whole(self, wanted: int, sizes: Iterable[int]) -> set[int]:
        """After how many records the power is cut, with nothing lost."""
        ends = [record.end for record in self._records]
        whole = {bisect_right(ends, size) for size in sizes}
        evenly = max(1, wanted - len(whole))
        return whole | {round(n * len(ends) / evenly) for n in range(1, evenly + 1)}

    def _survivors(self, pending: list[Write]) -> tuple[list[Write], str]:
        """Some of the writes that were not flushed, and some sectors of the last one."""
        *earlier, last = pending
        kept = [write for write in earlier if self._chance.random() < 0.5]
        what = f"{len(kept)} of {len(earlier)} writes"
        if last.offset < self._superblock + _BLOCK and self._superblock < last.end:
            return kept, f"{what}, and not the superblock"
        torn = list(self._some_sectors(last))
        return kept + torn, f"{what}, and {len(torn)} sectors of the last"

    def _some_sectors(self, write: Write) -> Iterator[Write]:
        """Its first sectors, or any of them."""
        chance, size = self._chance, self._sector
        count = -(-len(write.data) // size)
        first = chance.randrange(count + 1) if chance.random() < 0.5 else None
        for n in range(count):
            if n < first if first is not None else chance.random() < 0.5:
                yield Write(write.offset + n * size, write.data[n * size : (n + 1) * size])


def _pending_counts(records: list[Record]) -> list[int]:
    """How many writes are not flushed, before the first record and after each."""
    counts = [0]
    for record in records:
        counts.append(counts[-1] + 1 if record.write is not None else 0)
    return counts
