"""Lines whose checksums are right and whose bodies durably never writes: refused as damage.

No checksum protects from another program that writes journals, nor from a bundle that somebody
made by hand; the law of the line does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.errors import JournalTooNew
from durably_cli.journal.events import Unknown
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import (
    AT,
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
from tests.harness.strategies import RUN

Count = Callable[[int], None]
Change = Callable[[bytes], bytes]


def instead(old: str, new: str) -> Change:
    """Put `new` where `old` stands first."""
    return lambda body: body.replace(old.encode(), new.encode(), 1)


SECOND_LINES: dict[str, Change] = {
    "a seq that is text": instead('"seq":1', '"seq":"1"'),
    "a seq that is true": instead('"seq":1', '"seq":true'),
    "a seq that is a float": instead('"seq":1', '"seq":1.0'),
    "no seq": instead('"seq":1,', ""),
    "no type": instead('"type":"step.completed",', ""),
    "no name": instead('"name":"one",', ""),
    "a name that is a number": instead('"name":"one"', '"name":1'),
    "no time": lambda body: body[: body.index(b',"at":')],
    "another time": instead('"at":"2026-', '"at":"+2026-'),
    "the seq twice": instead('{"seq":1', '{"seq":1,"seq":1'),
    "the name twice": instead('"name":"one"', '"name":"two","name":"one"'),
    "the result twice": instead('"result":1', '"result":2,"result":1'),
    "a name twice in the result": instead('"result":1', '"result":{"a":1,"a":2}'),
    "NaN in the result": instead('"result":1', '"result":[NaN]'),
    "Infinity for a result": instead('"result":1', '"result":-Infinity'),
    "a result that is too large for a number": instead('"result":1', '"result":[-1e999]'),
    "half a surrogate pair": instead('"result":1', '"result":"\\ud800"'),
    "a control character": instead('"one"', '"o\x01ne"'),
    "a line feed": instead('"result":1', '"result":\n1'),
    "a letter that is not ASCII": instead('"one"', '"\xe9"'),
    "two objects": lambda body: b"{}" + body,
    "a list": lambda body: b"[" + body[1:],
    "nothing": lambda body: b"",
    "an object that never ends": instead('"result":1', '"result":{"a":1'),
    "a result that is nested too deeply": instead('"result":1', f'"result":{"[" * 9000}'),
}


@pytest.mark.parametrize("name", SECOND_LINES)
def test_a_line_with_the_right_checksum_and_a_wrong_body_is_damage(
    tmp_path: Path, name: str, count: Count
) -> None:
    lines = resealed(UNFINISHED.lines, 2, SECOND_LINES[name])
    assert lines[1] != UNFINISHED.lines[1]
    with bench_for(tmp_path, UNFINISHED) as bench:
        assert bench.verdict_on(b"".join(lines)) == damage_at(UNFINISHED, 2)
    count(1)


FIRST_LINES: dict[str, Change] = {
    "NaN for an input": instead('{"crc":"00000000"}', "NaN"),
    "Infinity in the input": instead('{"crc":"00000000"}', "[Infinity]"),
    "an input that is too large for a number": instead('{"crc":"00000000"}', "1e999"),
    "half a surrogate pair": instead('{"crc":"00000000"}', '"\\ud800"'),
    "a name twice in the input": instead('{"crc":"00000000"}', '{"a":1,"a":2}'),
    "the input twice": instead('"input":', '"input":1,"input":'),
    "format 0": instead('"format":1', '"format":0'),
    "a format that is text": instead('"format":1', '"format":"2"'),
    "no format": instead('"format":1,', ""),
}


@pytest.mark.parametrize("name", FIRST_LINES)
def test_a_first_line_with_the_right_checksum_and_a_wrong_body_is_damage(
    tmp_path: Path, name: str, count: Count
) -> None:
    lines = resealed(UNFINISHED.lines, 1, FIRST_LINES[name])
    assert lines[0] != UNFINISHED.lines[0]
    with bench_for(tmp_path, UNFINISHED) as bench:
        assert bench.verdict_on(b"".join(lines)) == damage_at(UNFINISHED, 1)
    count(1)


def deepest_that_python_reads() -> int:
    """How deep JSON may be nested that Python's reader takes here."""
    reads, refuses = 1, 1_000_000
    while refuses - reads > 1:
        depth = (reads + refuses) // 2
        try:
            json.loads("[" * depth + "]" * depth)
        except RecursionError:
            refuses = depth
        else:
            reads = depth
    return reads


def test_a_first_line_nested_to_any_depth_is_read_or_is_damage(
    tmp_path: Path, count: Count
) -> None:
    kept = set[int]()
    limit = deepest_that_python_reads()  # 1,000 less the stack, or 10,000 from Python 3.13 on
    for depth in range(limit - 150, limit + 50):
        nested = Json(f"{'[' * depth}{']' * depth}")
        sample = Sample("nested", [created(input=nested), *UNFINISHED.events[1:]])
        with bench_for(tmp_path, sample) as bench:
            verdict = bench.verdict()
        assert verdict in (Verdict(len(sample.events)), damage_at(sample, 1))
        kept.add(verdict.kept)
    assert len(kept) == 2, "both sides of the limit were tried"
    count(200)


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])
def test_a_wrong_seq_with_the_right_checksum_is_damage_at_every_line(
    tmp_path: Path, sample: Sample, count: Count
) -> None:
    with bench_for(tmp_path, sample) as bench:
        for line in range(1, len(sample.events) + 1):
            for wrong in (line - 2, line, 1 << 70):
                change = instead(f'{{"seq":{line - 1},', f'{{"seq":{wrong},')
                found = bench.verdict_on(b"".join(resealed(sample.lines, line, change)))
                assert found == damage_at(sample, line)
    count(3 * len(sample.events))


def test_a_newer_format_is_told_from_damage(tmp_path: Path, count: Count) -> None:
    newer = resealed(UNFINISHED.lines, 1, instead('"format":1', '"format":2'))
    with bench_for(tmp_path, UNFINISHED) as bench, pytest.raises(JournalTooNew):
        bench.verdict_on(b"".join(newer))
    count(1)


def test_an_event_of_an_unknown_type_is_kept_as_it_stands(tmp_path: Path, count: Count) -> None:
    lines = resealed(UNFINISHED.lines, 5, instead("step.started", "step.slept"))
    unknown = Unknown("step.slept", AT, lines[4].decode("ascii").rstrip("\n"))
    events = [*UNFINISHED.events[:4], unknown]
    with Bench(tmp_path / f"{RUN}.jsonl", b"".join(lines), events) as bench:
        assert bench.verdict() == Verdict(5)
    count(1)
