"""Reading a journal: every line against the chain, and a verdict on what does not fit.

Three things can stand at the first byte that does not fit:

- **a record that lacks only its newline**, and is last or followed by zeros: it is good.
- **a torn tail**: an append or the sectors of one that a crash cut short. It is either a last line
  without its end, or bytes of which some 512-byte-aligned chunk, cut to what does not fit, is all
  zero; and no durable event follows that was written when these bytes were on disk. None of it was
  acknowledged: it is dropped, and the next attempt says so.
- **damage**: everything else, a whole-looking last line with a wrong checksum among it. It is
  refused with file, line, byte and reason. Damage is never taken for a crash or a result. A good
  line is damaged too if what it names is not there: the file of a large result.

Line 0 is never torn: a journal gets its name when line 0 is on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

from durably_cli.errors import JournalDamaged, JournalTooNew
from durably_cli.journal import codec, fast_codec
from durably_cli.journal.codec import BadLine, NewerFormat
from durably_cli.journal.registry import DURABLE, Event
from durably_cli.journal.tail import Torn, has_zeroed_sector, is_cut_short

_FIRST_BYTES = 1 << 12
_MOST_BYTES = 1 << 16


class Position(NamedTuple):
    """A place between two lines: the first byte behind, the lines before, the crc of the last."""

    end: int
    lines: int
    crc: int


def _no_doubt(_: Event) -> None:
    pass


class JournalReader:
    """One pass over the bytes a journal has now (or the first `size`); iterate it once, then ask.

    It begins at line 0, or `after` the mark of an earlier pass. `doubt` says why the event of a
    good line is not to be relied on: one that names something else than itself. `end` is the first
    byte after the last good line, `lines` their number, `crc` the last one's, `digest` that of all
    bytes that were read up to `end`, and `torn` what stands behind. Iterating raises JournalDamaged
    and JournalTooNew.
    """

    def __init__(
        self,
        fd: int,
        path: Path,
        run_id: str,
        *,
        size: int | None = None,
        after: Position | None = None,
        doubt: Callable[[Event], str | None] = _no_doubt,
    ) -> None:
        self._fd, self._path, self._doubt = fd, path, doubt
        self._size = os.fstat(fd).st_size if size is None else size
        self.end, self.lines, self.crc = after or Position(0, 0, codec.seed(run_id))
        self.digest = 0
        self.torn: Torn | None = None
        self.lacks_newline = False

    def __iter__(self) -> Iterator[Event]:
        for _, events in self._read():
            yield from events

    def with_lines(self) -> Iterator[tuple[bytes, Event]]:
        """The good lines, each without its newline and with its event."""
        for lines, events in self._read():
            for data, event in zip(lines, events, strict=True):
                yield data.removesuffix(b"\n"), event

    @property
    def mark(self) -> Position:
        """Where it stands: behind what was iterated, and maybe some lines further."""
        return Position(self.end, self.lines, self.crc)

    def _read(self) -> Iterator[tuple[list[bytes], list[Event]]]:
        """Some good lines and their events at a time, in order."""
        with open(self._fd, "rb", closefd=False) as file:  # no other: there may be no more to have
            file.seek(self.end)
            while lines := self._next_lines(file):
                while lines:
                    events = self._plain_steps(lines)
                    if not events:
                        try:
                            events = [self._event(lines[0])]
                        except BadLine as bad:
                            file.seek(self.end + len(lines[0]))
                            yield from self._last_of(file, lines[0], str(bad))
                            return
                    yield lines[: len(events)], events
                    del lines[: len(events)]
        if self.lines == 0:
            raise self._damage("it is empty")

    def _next_lines(self, file: BinaryIO) -> list[bytes]:
        """The next lines, the last one to its end; none at the end, or if an append is taken back.

        Few at first: many journals are short, and of some only the first line is asked for.
        """
        left = self._size - self.end
        data = file.read(min(_MOST_BYTES, max(_FIRST_BYTES, self.end), left))
        if not data.endswith(b"\n"):
            data += file.readline(left - len(data))
        return BytesIO(data).readlines()

    def _plain_steps(self, lines: list[bytes]) -> list[Event]:
        """The events of the first lines, if those are plain ones of steps."""
        if self.lines == 0:
            return []
        events, crc = fast_codec.decode_steps(lines, self.lines, self.crc)
        if events:
            self._pass_over(len(events), b"".join(lines[: len(events)]), crc)
        return events

    def _event(self, data: bytes) -> Event:
        """The event of the next line. BadLine if it is not that."""
        record = data.removesuffix(b"\n")
        try:
            event, crc = codec.decode(record, self.lines, self.crc)
        except NewerFormat as newer:
            raise JournalTooNew(
                f"{self._path} was written by a newer durably: {newer}",
                hint="upgrade durably",
            ) from None
        reason = self._doubt(event)
        if reason:
            raise self._damage(reason)
        self._pass_over(1, data, crc)
        self.lacks_newline = len(record) == len(data)
        return event

    def _pass_over(self, lines: int, data: bytes, crc: int) -> None:
        self.lines, self.end, self.crc = self.lines + lines, self.end + len(data), crc
        self.digest = crc32(data, self.digest)
        self.lacks_newline = False

    def _last_of(
        self, file: BinaryIO, data: bytes, reason: str
    ) -> Iterator[tuple[list[bytes], list[Event]]]:
        """What can be read from `end` on, where the line `data` is no good one.

        That is a record that lacks its newline, at the most. Behind it is a torn tail, or damage.
        """
        if self.lines == 0:
            raise self._damage(reason)
        record, zero, _ = data.partition(b"\0")
        event = self._event_of_record(record) if zero else None
        if event is not None:
            yield [record], [event]
            data = data[len(record) :]
        self.torn = self._torn_tail(file, data, reason)

    def _event_of_record(self, record: bytes) -> Event | None:
        try:
            return self._event(record)
        except BadLine:
            return None

    def _torn_tail(self, file: BinaryIO, data: bytes, reason: str) -> Torn:
        """The bytes from `end` on, of which `data` is the first line, as a torn tail.

        JournalDamaged if they are none: a complete line without a zeroed sector cannot be torn,
        whatever stands behind it.
        """
        rest = self._rest_never_synced(file, data, reason)
        if not (is_cut_short(rest, self.lines) or has_zeroed_sector(data, self.end)):
            raise self._damage(reason)
        return Torn(self.end, len(rest), has_lines=b"\n" in rest)

    def _rest_never_synced(self, file: BinaryIO, data: bytes, reason: str) -> bytes:
        rest = bytearray()
        while data:
            if isinstance(codec.looks_whole(data.lstrip(b"\0")), tuple(DURABLE)):
                synced_to = codec.synced_to(data)
                if synced_to is None or synced_to > self.end:
                    raise self._damage(reason)
            rest += data
            data = file.readline(self._size - self.end - len(rest))
        return bytes(rest)

    def _damage(self, reason: str) -> JournalDamaged:
        return JournalDamaged(str(self._path), self.lines + 1, self.end, reason)


def begins_with(fd: int, end: int, digest: int) -> bool:
    """Are the bytes up to this end in the journal the ones that were read, or written, before?

    To look at each line's checksum again took a tenth of a resume.
    """
    found, left = 0, end
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        while data := file.read(min(_MOST_BYTES, left)):
            found, left = crc32(data, found), left - len(data)
    return left == 0 and found == digest
