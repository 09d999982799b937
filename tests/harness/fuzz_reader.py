"""What the reader must do with any bytes, for fuzzers.

The first byte of an input says what the rest is: the bytes of a journal, or (if it is odd) the
bodies of its lines, which get the right checksums here, so that the fuzzer gets behind those.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from zlib import crc32

from durably_cli.errors import JournalDamaged, JournalTooNew
from durably_cli.journal import codec
from durably_cli.journal.events import Unknown
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from tests.harness.sample_journals import SAMPLES
from tests.harness.strategies import RUN

_VALUE = re.compile(rb'(?<=":)("[^"]*"|[0-9.]+|\{[^{}]*\})')
RAW, BODIES = b"\x00", b"\x01"

TOKENS = (
    *(b"\0", b"\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\xff", b"NaN", b"1e999"),
    *(b"null", b"true", b"-1", b"0.5", b'"\\ud800"', b'{"a":1,"a":2}', b'"seq":1,', bytes(512)),
    *(b'"type":"run.created"', b'"type":"step.completed"', b',"result":', b',"at":"', b"9" * 5000),
    *(b"[" * 3000, b'{"a":' * 3000),
)
"""What journals are made of, and what they must not hold."""


def seeds() -> list[bytes]:
    """Inputs to begin with: the samples, as journals and as bodies."""
    found = []
    for sample in SAMPLES:
        bodies = [line[: -codec.CRC_BYTES - 1] for line in sample.lines]
        found += [RAW + sample.data, BODIES + b"\n".join(bodies)]
    return found


def with_value(data: bytes, number: int, token: bytes) -> bytes:
    """The input with another value in place of its `number`-th one, counted round and round."""
    values = list(_VALUE.finditer(data))
    if not values:
        return data + token
    start, end = values[number % len(values)].span()
    return data[:start] + token + data[end:]


def journal_of(data: bytes) -> bytes:
    """The journal that an input stands for."""
    if not data or data[0] % 2 == 0:
        return data[1:]
    lines, crc = [], codec.seed(RUN)
    for body in data[1:].split(b"\n"):
        crc = crc32(body, crc)
        lines.append(body + b',"crc":"%08x"}\n' % crc)
    return b"".join(lines)


def check(data: bytes) -> None:
    """Read the journal of an input.

    AssertionError, or what the reader raises, if it does not keep its word: that it raises nothing
    but JournalDamaged and JournalTooNew, and that what it accepts can be written again.
    """
    journal = journal_of(data)
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(journal)
        _read(file.fileno(), journal)


def _read(fd: int, journal: bytes) -> None:
    reading = JournalReader(fd, Path(f"{RUN}.jsonl"), RUN)
    previous, end, count = codec.seed(RUN), 0, 0
    try:
        for line, event in reading.with_lines():
            assert journal[end : end + len(line)] == line
            previous = _check_written_again(count, line, event, previous)
            end, count = end + len(line) + 1, count + 1
    except (JournalDamaged, JournalTooNew) as refused:
        if isinstance(refused, JournalDamaged):
            assert (refused.line, refused.byte) == (reading.lines + 1, reading.end)
    else:
        torn = reading.torn
        assert reading.end == end - reading.lacks_newline, "skipped silently"
        assert reading.end + (torn.size if torn else 0) == len(journal), "left out"
        assert torn is None or torn.at == reading.end
    assert reading.lines == count


def _check_written_again(seq: int, line: bytes, event: Event, previous: int) -> int:
    """What was read is written again as an equal event; the checksum that the line shows."""
    shown = int(line[-10:-2], 16)
    if isinstance(event, Unknown):
        assert event.line.encode("ascii") == line
        return shown
    data, crc = codec.encode(seq, event, previous)
    assert codec.decode(data[:-1], seq, previous) == (event, crc)
    assert crc != shown or data[:-1] == line
    return shown
