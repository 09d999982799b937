"""An event and its line."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given

from durably_cli import codec
from durably_cli.events import FORMAT, Event, Json, RunCreated, StepCompleted, StepStarted, Unknown
from durably_cli.strict import to_json
from tests.strategies import RUN, journals, lines_of

AT = "2026-11-23T03:00:00.123Z"


@given(journals)
def test_any_sequence_of_events_survives_the_round_trip(events: list[Event]) -> None:
    crc = codec.seed(RUN)
    for seq, (event, line) in enumerate(zip(events, lines_of(events), strict=True)):
        assert line.isascii()
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        decoded, crc = codec.decode(line[:-1], seq, crc)
        assert decoded == event
        assert type(decoded) is type(event)


@given(journals)
def test_a_line_has_seq_first_crc_last_and_no_name_twice(events: list[Event]) -> None:
    for seq, line in enumerate(lines_of(events)):
        pairs = json.loads(line, object_pairs_hook=lambda pairs: pairs)
        names = [name for name, _ in pairs]
        assert pairs[0] == ("seq", seq)
        assert names[1] == "type"
        assert names[-2:] == ["at", "crc"]
        assert len(set(names)) == len(names)


def test_the_crc_is_the_one_that_the_design_gives() -> None:
    first, second = lines_of(
        [RunCreated(FORMAT, RUN, "job", Json("{}"), AT), StepStarted("one", AT)]
    )
    body, _, shown = first.rstrip(b"\n").rpartition(b',"crc":"')
    crc = zlib.crc32(body, zlib.crc32(RUN.encode()))
    assert shown == b'%08x"}' % crc
    body, _, shown = second.rstrip(b"\n").rpartition(b',"crc":"')
    assert shown == b'%08x"}' % zlib.crc32(body, crc)


def test_fields_at_their_default_are_left_out_of_the_line() -> None:
    (line,) = lines_of([RunCreated(FORMAT, RUN, "job", Json("{}"), AT)])
    assert set(json.loads(line)) == {"seq", "type", "format", "run", "job", "input", "at", "crc"}


def test_a_field_that_is_not_known_is_passed_over() -> None:
    body = b'{"seq":0,"type":"step.started","name":"one","colour":"red","at":"%s"' % AT.encode()
    data = body + b',"crc":"%08x"}' % zlib.crc32(body)
    assert codec.decode(data, 0, 0)[0] == StepStarted("one", AT)


def test_an_event_of_an_unknown_type_is_shown_as_it_stands() -> None:
    body = b'{"seq":0,"type":"step.slept","name":"one","at":"%s"' % AT.encode()
    data = body + b',"crc":"%08x"}' % zlib.crc32(body)
    event, _ = codec.decode(data, 0, 0)
    assert event == Unknown("step.slept", AT, data.decode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":0,"type":"step.started","at":"%s"',
        b'{"seq":0,"type":"step.started","name":5,"at":"%s"',
        b'{"seq":1,"type":"step.started","name":"one","at":"%s"',
        b'{"seq":0,"name":"one","at":"%s"',
        b'{"seq":0,"type":"step.started","name":"one","at":"%s\\n"',
        b'{"seq":0,"type":"step.completed","name":"one","ms":"3","result":1,"at":"%s"',
        b'["seq",0,"%s"',
    ],
)
def test_a_line_whose_crc_is_right_and_whose_fields_are_not_is_refused(body: bytes) -> None:
    body = body % AT.encode()
    with pytest.raises(codec.BadLine):
        codec.decode(body + b',"crc":"%08x"}' % zlib.crc32(body), 0, 0)


def test_a_newer_format_is_told_from_damage() -> None:
    (line,) = lines_of([RunCreated(2, RUN, "job", Json("{}"), AT)])
    with pytest.raises(codec.NewerFormat):
        codec.decode(line[:-1], 0, codec.seed(RUN))
    (line,) = lines_of([RunCreated(0, RUN, "job", Json("{}"), AT)])
    with pytest.raises(codec.BadLine):
        codec.decode(line[:-1], 0, codec.seed(RUN))


def test_a_lone_surrogate_is_never_written() -> None:
    for text in ("\ud800", "\udc00", "a\udfffb", "\ud800\ud800", "\udc00\ud800"):
        with pytest.raises(ValueError):
            codec.encode(0, StepStarted(text, AT), 0)
    for text in ("\U0001f600", "\\ud800", "\\\\ud800", "\U0001f600\U0001f600", "ud800"):
        codec.encode(0, StepStarted(text, AT), 0)


def test_a_result_keeps_its_text() -> None:
    event = StepCompleted("one", 1, Json('{"b":1e-07,"a":[1.0,-0.0]}'), AT)
    line, _ = codec.encode(0, event, 0)
    assert codec.decode(line[:-1], 0, 0)[0] == event


@pytest.mark.parametrize("name", [',"result":', '","result":1,"', '\\",\\"result\\":', "a\n"])
def test_a_name_that_looks_like_a_result_is_not_taken_for_one(name: str) -> None:
    event = StepCompleted(name, 1, Json('{",\\"result\\":":[",\\"at\\":"]}'), AT)
    line, _ = codec.encode(0, event, 0)
    assert codec.decode(line[:-1], 0, 0)[0] == event


@pytest.mark.parametrize(
    "event",
    [
        StepStarted(1, AT),  # type: ignore[arg-type]
        StepCompleted("one", "1", Json("1"), AT),  # type: ignore[arg-type]
        RunCreated(FORMAT, RUN, "job", Json("{}"), AT, idempotency_key=5),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_back_is_never_written(event: Event) -> None:
    with pytest.raises(TypeError):
        codec.encode(0, event, 0)


@given(journals)
def test_plain_steps_are_read_many_at_a_time_as_they_are_one_by_one(events: list[Event]) -> None:
    lines, crcs = lines_of(events), [codec.seed(RUN)]
    for seq, line in enumerate(lines):
        crcs.append(codec.decode(line[:-1], seq, crcs[-1])[1])
    for seq in range(len(lines)):
        found, crc = codec.decode_plain_steps(lines[seq:], seq, crcs[seq])
        assert found == events[seq : seq + len(found)]
        assert crc == crcs[seq + len(found)]
        assert found or type(events[seq]) is not StepStarted or not is_plain(events[seq].name)


def is_plain(name: str) -> bool:
    return to_json(name) == f'"{name}"' and "\x7f" not in name


NO_RESULTS = ["", " 1", "1 ", "01", "1,2", "[1", "NaN", "-Infinity", "1e999", '{"a":1,"a":2}', "é"]
NO_RESULTS += ['"\\ud800"', '"\\u00C4"', '1,"x":2', '"a\tb"', "[" * 100_000, '{"$blob":"x"}']


@pytest.mark.parametrize("text", NO_RESULTS, ids=lambda text: text[:20])
def test_a_result_that_is_not_written_as_it_should_be_is_not_read_with_many(text: str) -> None:
    first, crc = codec.encode(0, StepCompleted("one", 1, Json("1"), AT), 0)
    body = f'{{"seq":1,"type":"step.completed","name":"two","ms":1,"result":{text},"at":"{AT}"'
    sealed = zlib.crc32(body.encode(), crc)
    second = body.encode() + b',"crc":"%08x"}\n' % sealed
    assert len(codec.decode_plain_steps([first, second], 0, 0)[0]) <= 1


@pytest.mark.parametrize(
    "texts", [['"a', 'b"', "1,2"], ["[1", "2]", "3,4"], ['{"a":1', '"b":2}', "5,6"]], ids=str
)
def test_results_that_are_only_values_together_are_not_read_with_many(texts: list[str]) -> None:
    lines, crc = [], 0
    for seq, text in enumerate(texts):
        line, crc = codec.encode(seq, StepCompleted(f"step-{seq}", 1, Json(text), AT), crc)
        lines.append(line)
    assert codec.decode_plain_steps(lines, 0, 0) == ([], 0)
    with pytest.raises(codec.BadLine):
        codec.decode(lines[0][:-1], 0, 0)


@pytest.mark.parametrize(
    "fields",
    [
        '"new":{"a":1,"result":5},"name":"one","ms":1,"result":7',
        '"name":"one","ms":1, "result":7',
        '"name":"one","result":7,"ms":1',
    ],
)
def test_a_result_is_the_one_of_its_line_wherever_that_stands(fields: str) -> None:
    body = f'{{"seq":0,"type":"step.completed",{fields},"at":"{AT}"'.encode()
    line = body + b',"crc":"%08x"}' % zlib.crc32(body, 0)
    assert codec.decode(line, 0, 0)[0] == StepCompleted("one", 1, Json("7"), AT)


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
        found = codec.decode_plain_steps([first, line], 0, 0)
        assert found in (([StepStarted("one", AT)], crc), ([], 0))
