"""Every cut, bit and byte of a journal: what was acknowledged is kept, or it is refused as damage.

The exact verdict is expected each time: so many lines kept, each equal to what was written; and
then the line and the byte of the damage, or the size of what a crash tore off. The commands have
that reader, and are met with a damage of each kind.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.journal.events import LogWritten
from durably_cli.journal.registry import TYPES, Event
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness.places import looks
from tests.harness.quick import some_or_all
from tests.harness.sample_journals import (
    AT,
    COMPLETED,
    SAMPLES,
    UNFINISHED,
    Bench,
    Sample,
    Verdict,
    bench_for,
    created,
    damage_at,
    resealed,
)
from tests.harness.strategies import RUN, lines_of

Count = Callable[[int], None]
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
        torn = max(0, cut - sample.ends[whole - 1])
        expected = Verdict(whole, torn=torn) if whole else Verdict(0, (1, 0))
        assert bench.verdict_on(sample.data[:cut]) == expected, f"cut at byte {cut}"
    count(len(sample.data))


@some_or_all(4)
def test_every_byte_set_to_another_is_damage_at_its_line(
    sample: Sample, bench: Bench, every: int, count: Count
) -> None:
    faults, newlines = 0, {end - 1 for end in sample.ends[1:]}
    size = len(sample.line_of)
    for byte in random.sample(range(size), size // every):
        old, line = sample.data[byte], sample.line_of[byte]
        for new in {old ^ 1 << bit for bit in range(8)} | {0x00, 0x0A, 0x22, 0x30, 0xFF} - {old}:
            expected = damage_at(sample, line)
            if new == 0 and byte in newlines:
                is_last = line == len(sample.events)  # a crash can leave it so: not on disk
                expected = Verdict(line, torn=1) if is_last else Verdict(line, (line + 1, byte))
            with bench.byte(byte, new):
                assert bench.verdict() == expected, f"byte {byte} is {new}"
            faults += 1
    count(faults)


def test_every_flipped_bit_of_the_last_line_is_damage_before_zeros_that_a_crash_left_too(
    sample: Sample, bench: Bench, count: Count
) -> None:
    places = range(sample.starts[-1], len(sample.data) - 1)
    for byte in places:
        for bit in range(8):
            changed = bytearray(sample.data + bytes(2 * SECTOR))
            changed[byte] ^= 1 << bit
            expected = damage_at(sample, len(sample.lines))
            assert bench.verdict_on(bytes(changed)) == expected, f"bit {bit} of byte {byte}"
    count(8 * len(places))


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


ENDS = (
    *(b"x", b"\n", b"\r\n", b"{}\n"),
    *(b'{"seq":12,"type":"step.st\n', b'{"seq":99,"type":"step.st', COMPLETED.data),
)


def test_bytes_that_no_crash_leaves_are_damage(sample: Sample, bench: Bench, count: Count) -> None:
    data, lines = sample.data, len(sample.events)
    for whole in (
        *(data.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + data, data.decode().encode("utf-16")),
        *(b"", bytes(len(data)), b"\n" + data),
    ):
        assert bench.verdict_on(whole) == Verdict(0, (1, 0)), whole[:20]
    for end in ENDS:
        assert bench.verdict_on(data + end) == Verdict(lines, (lines + 1, len(data))), end
    count(6 + len(ENDS))


def tail_of(size: int) -> Sample:
    """A durable beginning, and an unsynced tail of log lines, of about this many bytes in all."""
    events: list[Event] = [*COMPLETED.events[:4]]
    while len(Sample("", events).data) < size:
        events.append(LogWritten("info", 90 * "x", AT))
    return Sample("tail", events)


def without(data: bytes, sectors: list[int]) -> bytes:
    """The bytes with these sectors zeroed."""
    changed = bytearray(data)
    for sector in sectors:
        stop = min(len(data), (sector + 1) * SECTOR)
        changed[sector * SECTOR : stop] = bytes(stop - sector * SECTOR)
    return bytes(changed)


def test_zeroed_sectors_of_the_unsynced_tail_are_a_torn_tail(tmp_path: Path, count: Count) -> None:
    sample = tail_of(4096)
    sectors = range(sample.ends[3] // SECTOR + 1, len(sample.data) // SECTOR + 1)
    patterns = range(1, 1 << len(sectors))
    with bench_for(tmp_path, sample) as bench:
        for pattern in patterns:
            zeroed = [sector for bit, sector in enumerate(sectors) if pattern >> bit & 1]
            first = zeroed[0] * SECTOR
            whole = sum(end - 1 <= first for end in sample.ends)
            torn = len(sample.data) - min(first, sample.ends[whole - 1])
            assert bench.verdict_on(without(sample.data, zeroed)) == Verdict(whole, torn=torn)
    count(len(patterns))


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
            assert bench.verdict() == Verdict(2, (3, at)), f"byte {at % SECTOR} of its sector"
    count(SECTOR)


def test_a_record_that_lacks_only_its_newline_is_kept_with_zeros_behind_it_too(
    sample: Sample, bench: Bench, count: Count
) -> None:
    for size in (1, 511, 512, 4096):
        for data in (sample.data, sample.data[:-1]):
            assert bench.verdict_on(data + bytes(size)) == Verdict(len(sample.events), torn=size)
        cut = sample.data[: sample.starts[-1] + 40] + bytes(size)
        assert bench.verdict_on(cut).kept == len(sample.events) - 1
    count(12)


INPUT = '{"crc":"00000000"}'
BODIES = (
    *((1, INPUT, "NaN"), (1, INPUT, "[Infinity]"), (1, INPUT, "1e999"), (1, INPUT, '"\\ud800"')),
    *((1, INPUT, '{"a":1,"a":2}'), (1, '"input":', '"input":1,"input":')),
    *((1, '"format":1', '"format":0'), (1, '"format":1', '"format":"2"'), (1, '"format":1,', "")),
    *((2, '"seq":1', '"seq":"1"'), (2, '"seq":1', '"seq":true'), (2, '"seq":1', '"seq":1.0')),
    *((2, '"seq":1,', ""), (2, '"type":"step.completed",', ""), (2, '"name":"one",', "")),
    *(
        (2, '"name":"one"', '"name":1'),
        (2, f',"at":"{AT}"', ""),
        (2, '"at":"2026-', '"at":"+2026-'),
    ),
    *((2, '{"seq":1', '{"seq":1,"seq":1'), (2, '"name":"one"', '"name":"two","name":"one"')),
    *((2, '"result":1', '"result":2,"result":1'), (2, '"result":1', '"result":{"a":1,"a":2}')),
    *((2, '"result":1', '"result":[NaN]'), (2, '"result":1', '"result":-Infinity')),
    *((2, '"result":1', '"result":[-1e999]'), (2, '"result":1', '"result":"\\ud800"')),
    *((2, '"one"', '"o\x01ne"'), (2, '"result":1', '"result":\n1'), (2, '"one"', '"\xe9"')),
    *((2, '{"seq"', '{}{"seq"'), (2, '{"seq"', '["seq"'), (2, '"result":1', '"result":{"a":1')),
    (2, '"result":1', f'"result":{"[" * 9000}'),
)
"""A line's number, and what stands in its body instead of what."""


def test_a_line_with_the_right_checksum_and_a_wrong_body_is_damage(
    tmp_path: Path, count: Count
) -> None:
    """No checksum protects from another program that writes journals; the law of the line does."""
    cases = [(UNFINISHED, *body) for body in BODIES]
    for sample in SAMPLES:
        for line in range(1, len(sample.events) + 1):
            wrong = (line - 2, line, 1 << 70)
            cases += [(sample, line, f'"seq":{line - 1},', f'"seq":{seq},') for seq in wrong]
    for sample, line, old, new in cases:
        assert old.encode() in sample.lines[line - 1]
        lines = resealed(sample.lines, line, replacing(old, new))
        with bench_for(tmp_path, sample) as bench:
            assert bench.verdict_on(b"".join(lines)) == damage_at(sample, line), (line, old, new)
    count(len(cases))


def replacing(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old.encode(), new.encode(), 1)


def test_a_first_line_nested_to_any_depth_is_read_or_is_damage(
    tmp_path: Path, count: Count
) -> None:
    """Python's reader takes 1,000 levels less the stack, or 10,000 from Python 3.13 on."""
    kept, depths = set[int](), (100, *range(850, 1050, 10), 200_000)
    for depth in depths:
        nested = Json(f"{'[' * depth}{']' * depth}")
        sample = Sample("nested", [created(input=nested), *UNFINISHED.events[1:]])
        with bench_for(tmp_path, sample) as bench:
            verdict = bench.verdict()
        assert verdict in (Verdict(len(sample.events)), damage_at(sample, 1))
        kept.add(verdict.kept)
    assert len(kept) == 2, "both sides of the limit were tried"
    count(len(depths))


EVENTS = COMPLETED.events[:-1]
"""A run of job `work` that was left in the middle: its steps one and two are there."""


@pytest.fixture
def work(project: Project) -> Project:
    """A project with one healthy run of job `work`, which has failed."""
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> int:
            done = [step.run(name, effect, name) for name in ("one", "two", "three")]
            if payload.get("fail"):
                raise RuntimeError("not yet")
            return len(done)
        """
    )
    project.run("trigger", "work", "-p", "fail:=true", expect=1)
    return project


def put(project: Project, change: Callable[[str, list[bytes]], bytes]) -> Path:
    """A journal of a run that was left in the middle, with its bytes changed."""
    run = ids.new()
    path = Store(next(project.data.iterdir())).path_of(run)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(change(run, lines_of([EVENTS[0]._replace(run=run), *EVENTS[1:]], run)))
    return path


def damaged_at(line: int, kind: str) -> Callable[[str, list[bytes]], bytes]:
    """Damage of this kind in the line of this number."""

    def change(run: str, lines: list[bytes]) -> bytes:
        data = bytearray(lines[line - 1])
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        old, new = f'"seq":{line - 1},', f'"seq":{line + 6},'
        instead = {
            "flipped": [bytes(data)],
            "edited": [lines[line - 1].replace(b'"at":"2', b'"at":"3', 1)],
            "lost": [],
        }.get(kind)
        if instead is None:
            return b"".join(resealed(lines, line, replacing(old, new), run))
        return b"".join([*lines[: line - 1], *instead, *lines[line:]])

    return change


def test_damaged_runs_are_refused_by_every_command_with_their_place(
    work: Project, count: Count
) -> None:
    """No command takes one for a good run, hides another, or writes."""
    (healthy,), effects = work.runs(), work.effects
    damaged = dict[str, str]()
    for kind in ("flipped", "edited", "lost", "misnumbered"):
        for line in (1, random.randrange(2, len(EVENTS))):
            path = put(work, damaged_at(line, kind))
            place = path.read_bytes().split(b"\n")[: line - 1]
            damaged[path.stem] = f"line {line}, byte {sum(map(len, place)) + len(place)}: "
    before = looks(work.data)
    listed = {run["id"]: run for run in work.runs()}
    assert listed.pop(healthy["id"]) == healthy
    assert listed.keys() == damaged.keys()
    verified = work.run("verify", "--json", expect=74)
    found = {each["name"]: each for each in json.loads(verified.out)["findings"]}
    assert found.pop(healthy["id"])["state"] == "ok"
    for run, where in damaged.items():
        assert listed[run]["status"] == found[run]["state"] == "damaged"
        assert where in listed[run]["reason"]
        for command in ("inspect", "resume"):
            result = work.run(command, run, expect=74)
            said = f"{run}.jsonl is damaged at {where}"
            assert said in result.err, result
            reason = result.err.partition(said)[2].partition("\n")[0]
            assert reason in listed[run]["reason"], result
            assert reason in found[run]["detail"], result
    assert looks(work.data) == before
    assert work.effects == effects, "a damaged run was executed"
    count(len(damaged))


def test_a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped(
    work: Project, count: Count
) -> None:
    """Nothing acknowledged is executed again."""
    sample = Sample("torn", EVENTS)
    cuts = random.sample(range(sample.ends[0], len(sample.data)), 2)
    for cut in (*cuts, sample.ends[3] - 1):
        effects = work.effects
        path = put(work, lambda _, lines, cut=cut: b"".join(lines)[:cut])
        run, untouched = path.stem, looks(work.data)
        whole = sum(end - 1 <= cut for end in sample.ends)
        torn = max(0, cut - sample.ends[whole - 1])
        assert work.inspect(run)["status"] in ("interrupted", "failed")
        assert (f"a crash left {torn} byte" in work.run("verify", run).out) is (torn > 0)
        assert looks(work.data) == untouched
        assert work.run("resume", run).out == "3\n"
        expected = ["two", "three"] if whole >= 4 else ["one", "two", "three"]
        assert work.effects[len(effects) :] == expected
        started = [line for line in map(json.loads, path.open()) if line["type"] == "run.started"]
        assert started[-1].get("dropped", 0) == torn
    count(len(cuts) + 1)
