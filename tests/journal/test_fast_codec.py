"""The lines of steps, written and read as the codec does it."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.journal import codec, fast_codec
from durably_cli.journal.blobs import is_blob_reference
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.journal.step_names import item_of, scope_of
from durably_cli.values.strict_json import Json, to_json
from tests.harness.strategies import RUN, journals, lines_of

AT = "2026-11-23T03:00:00.123Z"


@given(journals)
def test_plain_steps_are_read_many_at_a_time_as_they_are_one_by_one(events: list[Event]) -> None:
    lines, crcs = lines_of(events), [codec.seed(RUN)]
    for seq, line in enumerate(lines):
        crcs.append(codec.decode(line[:-1], seq, crcs[-1])[1])
    for seq in range(len(lines)):
        found, crc = fast_codec.decode_steps(lines[seq:], seq, crcs[seq])
        assert found == events[seq : seq + len(found)]
        assert crc == crcs[seq + len(found)]
        event = events[seq]
        is_plain_start = isinstance(event, StepStarted) and not event.during
        assert found or not is_plain_start or not is_written_so(event)


@given(journals, st.none() | st.integers(0, 10**18 - 1))
def test_lines_of_steps_are_written_as_the_codec_writes_them(
    events: list[Event], synced_to: int | None
) -> None:
    crc = codec.seed(RUN)
    for seq, event in enumerate(events):
        line = codec.encode(seq, event, crc)
        if isinstance(event, StepStarted):
            assert fast_codec.started(seq, event, crc) == line
        elif isinstance(event, StepCompleted):
            line = codec.encode(seq, event, crc, synced_to)
            assert fast_codec.completed(seq, event, crc, synced_to) == line
            assert codec.synced_to(line[0]) == synced_to
            found, _ = fast_codec.decode_steps([line[0]], seq, crc)
            assert found in ([event], [])
        crc = line[1]


@pytest.mark.parametrize("name", ["one", item_of("map", "one")])
def test_a_result_that_says_what_was_synced_is_read_fast(name: str) -> None:
    event = StepCompleted(name, 3, Json("[1]"), AT)
    line, crc = codec.encode(7, event, 5, synced_to=4096)
    assert fast_codec.decode_steps([line], 7, 5) == ([event], crc)


def is_written_so(event: StepStarted) -> bool:
    return is_plain(event.name + event.code) and event.in_doubt in ("", "database")


def is_plain(name: str) -> bool:
    return to_json(name) == f'"{name}"' and "\x7f" not in name


NO_RESULTS = ["", " 1", "1 ", "01", "1,2", "[1", "NaN", "-Infinity", "1e999", '{"a":1,"a":2}', "é"]
NO_RESULTS += ['"\\ud800"', '"\\u00C4"', '1,"x":2', '"a\tb"', "[" * 100_000, '{"$blob":"x"}']
NO_RESULTS += ['{ "$blob":"x"}', '{"\\u0024blob":"x"}', '{ "a":1}', "1E2", '"/"', '"\\/"']


@pytest.mark.parametrize("text", NO_RESULTS, ids=lambda text: text[:20])
def test_a_result_that_is_not_written_as_it_should_be_is_read_as_the_codec_reads_it(
    text: str,
) -> None:
    one, three = StepCompleted("one", 1, Json("1"), AT), StepStarted("three", AT)
    first, crc = codec.encode(0, one, 0)
    body = f'{{"seq":1,"type":"step.completed","name":"two","ms":1,"result":{text},"at":"{AT}"'
    sealed = zlib.crc32(body.encode(), crc)
    second = body.encode() + b',"crc":"%08x"}\n' % sealed
    third, last = codec.encode(2, three, sealed)
    try:
        two, _ = codec.decode(second[:-1], 1, crc)
    except codec.BadLine:
        two = None
    found = fast_codec.decode_steps([first, second, third], 0, 0)
    if not isinstance(two, StepCompleted) or is_blob_reference(two.result):
        assert found == ([one], crc)
    else:
        assert found == ([one, two, three], last)


@pytest.mark.parametrize(
    "texts", [['"a', 'b"', "1,2"], ["[1", "2]", "3,4"], ['{"a":1', '"b":2}', "5,6"]], ids=str
)
def test_results_that_are_only_values_together_are_not_read_with_many(texts: list[str]) -> None:
    lines, crc = [], 0
    for seq, text in enumerate(texts):
        line, crc = codec.encode(seq, StepCompleted(f"step-{seq}", 1, Json(text), AT), crc)
        lines.append(line)
    assert fast_codec.decode_steps(lines, 0, 0) == ([], 0)
    with pytest.raises(codec.BadLine):
        codec.decode(lines[0][:-1], 0, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1', b'"seq":01'),
        (b'"seq":1', b'"seq":2'),
        (b'"ms":1', b'"ms":-0'),
        (b"-23T", b"-32T"),
    ],
)
def test_a_line_that_is_not_the_next_one_is_not_read_with_many(old: bytes, new: bytes) -> None:
    first, crc = codec.encode(0, StepStarted("one", AT), 0)
    line, _ = codec.encode(1, StepCompleted("one", 1, Json("1"), AT), crc)
    body, _, _ = line.rpartition(b',"crc":')
    body = body.replace(old, new)
    second = body + b',"crc":"%08x"}\n' % zlib.crc32(body, crc)
    for line in (second, second.replace(b'"ms"', b'"mS"'), second[:-1]):
        found = fast_codec.decode_steps([first, line], 0, 0)
        assert found in (([StepStarted("one", AT)], crc), ([], 0))


def test_the_items_of_a_map_share_its_name() -> None:
    lines, crc = [], 0
    for seq in range(2):
        line, crc = codec.encode(seq, StepStarted(item_of("fetch", str(seq)), AT), crc)
        lines.append(line)
    one, other = (scope_of(event[0]) for event in fast_codec.decode_steps(lines, 0, 0)[0])
    assert one is other
