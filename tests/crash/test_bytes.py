"""Every cut, bit and byte of a journal: what was acknowledged is kept, or it is refused as damage.

The exact verdict is expected each time: so many lines kept, each equal to what was written; and
then the line and the byte of the damage, or the size of what a crash tore off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durably_cli.journal.events import TYPES, Event, LogWritten, StepCompleted, StepStarted
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import (
    AT,
    COMPLETED,
    SAMPLES,
    Bench,
    Sample,
    Verdict,
    bench_for,
    created,
    damage_at,
)
from tests.harness.strategies import RUN, lines_of

Count = Callable[[int], None]

EVENTS = COMPLETED.events
FILLER = "x" * 90
SECTOR = 512


@pytest.fixture(params=SAMPLES, ids=[sample.name for sample in SAMPLES])
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


@pytest.fixture
def bench(tmp_path: Path, sample: Sample) -> Iterator[Bench]:
    with bench_for(tmp_path, sample) as made:
        yield made


def test_the_samples_hold_every_type_of_event() -> None:
    assert {type(event) for each in SAMPLES for event in each.events} == set(TYPES.values())


def test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn(
    sample: Sample, bench: Bench, count: Count
) -> None:
    for cut in range(len(sample.data)):
        whole = sum(end - 1 <= cut for end in sample.ends)  # the newline may be lacking
        if whole == 0:
            expected = Verdict(0, (1, 0))
        else:
            expected = Verdict(whole, torn=max(0, cut - sample.ends[whole - 1]))
        assert bench.verdict_on(sample.data[:cut]) == expected, f"cut at byte {cut}"
    count(len(sample.data))


def test_every_flipped_bit_is_damage_at_its_line(
    sample: Sample, bench: Bench, count: Count
) -> None:
    for byte, line in enumerate(sample.line_of):
        for bit in range(8):
            with bench.byte(byte, sample.data[byte] ^ 1 << bit):
                found = bench.verdict()
            assert found == damage_at(sample, line), f"bit {bit} of byte {byte}"
    count(8 * len(sample.data))


def test_every_flipped_bit_of_the_last_line_is_damage_before_zeros_that_a_crash_left_too(
    sample: Sample, bench: Bench, count: Count
) -> None:
    faults = 0
    for byte in range(sample.starts[-1], len(sample.data) - 1):
        for bit in range(8):
            changed = bytearray(sample.data + bytes(2 * SECTOR))
            changed[byte] ^= 1 << bit
            expected = damage_at(sample, len(sample.lines))
            assert bench.verdict_on(bytes(changed)) == expected, f"bit {bit} of byte {byte}"
            faults += 1
    count(faults)


@pytest.mark.parametrize("value", [0x00, 0x0A, 0x22, 0x30, 0xFF])
def test_every_byte_set_to_another_is_damage_at_its_line(
    sample: Sample, bench: Bench, value: int, count: Count
) -> None:
    faults = 0
    for byte, line in enumerate(sample.line_of):
        if sample.data[byte] == value:
            continue
        with bench.byte(byte, value):
            found = bench.verdict()
        assert found == _expected(sample, byte, line, value), f"byte {byte}"
        faults += 1
    count(faults)


def _expected(sample: Sample, byte: int, line: int, value: int) -> Verdict:
    is_newline = byte == sample.ends[line - 1] - 1
    if value or not is_newline or line == 1:
        return damage_at(sample, line)
    if line == len(sample.events):  # a crash can leave it so: the last newline is not on disk
        return Verdict(line, torn=1)
    return Verdict(line, (line + 1, byte))


def test_every_line_that_is_dropped_doubled_swapped_or_foreign_is_damage(
    sample: Sample, bench: Bench, count: Count
) -> None:
    lines, faults = sample.lines, 0
    foreign = lines_of(sample.events, RUN.replace("01a2", "01a3"))
    for n in range(len(lines)):
        changes = [(n, lines[:n] + [foreign[n]] + lines[n + 1 :])]
        changes += [(n + 1, lines[:n] + [lines[n]] + lines[n:])]
        if n + 1 < len(lines):
            changes += [(n, lines[:n] + lines[n + 1 :])]
            changes += [(n, lines[:n] + [lines[n + 1], lines[n]] + lines[n + 2 :])]
        for good, changed in changes:
            expected = Verdict(good, (good + 1, sum(map(len, lines[:good]))))
            assert bench.verdict_on(b"".join(changed)) == expected
            faults += 1
    count(faults)


def _tail(data: bytes) -> tuple[int, int]:
    """Where damage behind all of these lines is: the next line, the byte behind them."""
    return data.count(b"\n") + 1, len(data)


@pytest.mark.parametrize(
    ("change", "is_behind"),
    [
        (lambda data: data.replace(b"\n", b"\r\n"), False),
        (lambda data: b"\xef\xbb\xbf" + data, False),
        (lambda data: data.decode().encode("utf-16"), False),
        (lambda data: b"", False),
        (lambda data: b"\0" * len(data), False),
        (lambda data: b"\n" + data, False),
        (lambda data: data + b"x", True),
        (lambda data: data + b"\n", True),
        (lambda data: data + b"\r\n", True),
        (lambda data: data + b"{}\n", True),
        (lambda data: data + b'{"seq":12,"type":"step.st\n', True),
        (lambda data: data + b'{"seq":99,"type":"step.st', True),
        (lambda data: data + data, True),
    ],
)
def test_bytes_that_no_crash_leaves_are_damage(
    sample: Sample, bench: Bench, change: Callable[[bytes], bytes], is_behind: bool, count: Count
) -> None:
    expected = Verdict(0, (1, 0))
    if is_behind:
        expected = Verdict(len(sample.events), _tail(sample.data))
    assert bench.verdict_on(change(sample.data)) == expected
    count(1)


def tail_of(size: int) -> Sample:
    """A durable beginning, and an unsynced tail of log lines, of about this many bytes in all."""
    events: list[Event] = [*COMPLETED.events[:4]]
    while len(Sample("", events).data) < size:
        events.append(LogWritten("info", FILLER, AT))
    return Sample("tail", events)


def test_zeroed_sectors_of_the_unsynced_tail_in_every_pattern_are_a_torn_tail(
    tmp_path: Path, count: Count
) -> None:
    sample = tail_of(4096)
    data, synced = sample.data, sample.ends[3]
    sectors = range(synced // SECTOR + 1, len(data) // SECTOR + 1)
    with bench_for(tmp_path, sample) as bench:
        for pattern in range(1, 1 << len(sectors)):
            zeroed = [sector for bit, sector in enumerate(sectors) if pattern >> bit & 1]
            first = zeroed[0] * SECTOR
            whole = sum(end - 1 <= first for end in sample.ends)
            torn = len(data) - min(first, sample.ends[whole - 1])
            assert bench.verdict_on(without(data, zeroed)) == Verdict(whole, torn=torn)
    count((1 << len(sectors)) - 1)


def without(data: bytes, sectors: list[int]) -> bytes:
    """The bytes with these sectors zeroed."""
    changed = bytearray(data)
    for sector in sectors:
        stop = min(len(data), (sector + 1) * SECTOR)
        changed[sector * SECTOR : stop] = bytes(stop - sector * SECTOR)
    return bytes(changed)


def test_a_zeroed_sector_with_a_durable_event_behind_it_is_damage(
    tmp_path: Path, count: Count
) -> None:
    events = tail_of(2048).events
    sample = Sample("synced", [*events, StepCompleted("two", 1, Json("1"), AT)])
    sectors = range(sample.ends[3] // SECTOR + 1, sample.starts[-1] // SECTOR)
    with bench_for(tmp_path, sample) as bench:
        for sector in sectors:
            expected = damage_at(sample, sample.line_of[sector * SECTOR])
            assert bench.verdict_on(without(sample.data, [sector])) == expected
    count(len(sectors))


def test_a_zeroed_newline_before_a_durable_event_is_damage_wherever_it_is_in_its_sector(
    tmp_path: Path, count: Count
) -> None:
    rest = [StepStarted("one", AT), StepCompleted("one", 1, Json("1"), AT)]
    for pad in range(SECTOR):
        sample = Sample("padded", [created(labels={"pad": "x" * pad}), *rest])
        at = sample.ends[1] - 1
        with bench_for(tmp_path, sample) as bench, bench.byte(at, 0):
            found = bench.verdict()
        assert found == Verdict(2, (3, at)), f"the newline is byte {at % SECTOR} of its sector"
    count(SECTOR)


def test_a_record_that_lacks_only_its_newline_is_kept_with_zeros_behind_it_too(
    sample: Sample, bench: Bench, count: Count
) -> None:
    lines, kept = sample.lines, len(sample.events)
    assert bench.verdict_on(sample.data[:-1]) == Verdict(kept)
    for size in (1, 511, 512, 4096):
        assert bench.verdict_on(sample.data[:-1] + bytes(size)) == Verdict(kept, torn=size)
        assert bench.verdict_on(sample.data + bytes(size)) == Verdict(kept, torn=size)
        cut = b"".join(lines[:-1]) + lines[-1][:40]
        assert bench.verdict_on(cut + bytes(size)).kept == kept - 1
    count(13)
