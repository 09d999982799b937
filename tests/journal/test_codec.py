"""An event and its line."""

from __future__ import annotations

import json
import sys
import threading
import zlib

import pytest
from hypothesis import given

from durably_cli.journal import codec, tail
from durably_cli.journal.events import (
    FORMAT,
    LogWritten,
    ProgressReported,
    RunCreated,
    Unknown,
)
from durably_cli.journal.lenient import any_integers
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN, journals, lines_of

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


def line_of(body: bytes, previous: int) -> bytes:
    """The line of a body as any durably seals it, without its newline."""
    return body + b',"crc":"%08x"}' % zlib.crc32(body, previous)


OF_BEFORE: dict[bytes, Event] = {
    b'{"seq":4,"type":"log.written","level":"info","message":"x","data":{"by":{"1":"a","1":"b"}}': (
        LogWritten("info", "x", AT, data={"by": {"1": "b"}})
    ),
    b'{"seq":4,"type":"log.written","level":"info","message":"x",'
    b'"data":{"by":{"seq":0,"1":"a","1":"b","crc":0}}': (
        LogWritten("info", "x", AT, data={"by": {"seq": 0, "1": "b", "crc": 0}})
    ),
    b'{"seq":4,"type":"step.completed","name":"a","ms":1,'
    b'"result":{"a":1,"type":"log.written","b":%s}' % (b"9" * 5000): (
        StepCompleted("a", 1, Json(f'{{"a":1,"type":"log.written","b":{"9" * 5000}}}'), AT)
    ),
    b'{"seq":4,"type":"log.written","level":"info","message":"x","data":{"n":%s}'
    % (b"9" * 5000): LogWritten("info", "x", AT, data={"n": "9" * 5000}),
    b'{"seq":4,"type":"progress.reported","current":1e+19,"total":36893488147419103232': (
        ProgressReported(1e19, AT, 2**65)
    ),
    b'{"seq":4,"type":"step.completed","name":"a","ms":1,"result":[%s]'
    % (b"9" * 5000): StepCompleted("a", 1, Json(f"[{'9' * 5000}]"), AT),
}


@pytest.mark.parametrize("body", OF_BEFORE, ids=range(len(OF_BEFORE)))
def test_what_durably_01_wrote_and_called_damage_is_read(body: bytes) -> None:
    sealed = line_of(body + f',"at":"{AT}"'.encode(), 7)
    assert codec.decode(sealed, 4, 7)[0] == OF_BEFORE[body]
    assert sys.get_int_max_str_digits() == sys.int_info.default_max_str_digits


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":4,"type":"log.written","level":"info","level":"warn","message":"x"',
        b'{"seq":4,"type":"log.written","level":"info","message":"x","data":{"a":NaN}',
        b'{"seq":4,"type":"progress.reported","current":1e999',
        b'{"seq":4,"type":"progress.reported","current":1%s' % (b"0" * 400),
        b'{"seq":4,"type":"step.failed","name":"a","ms":%s' % (b"9" * 5000),
        b'{"seq":4,"type":"step.completed","name":"a","ms":1,"result":{"a":1,"a":2}',
    ],
)
def test_what_no_durably_ever_wrote_is_damage_still(body: bytes) -> None:
    with pytest.raises(codec.BadLine):
        codec.decode(line_of(body + f',"at":"{AT}"'.encode(), 7), 4, 7)


def test_a_bit_flipped_in_a_line_of_too_many_digits_is_damage_and_no_torn_tail() -> None:
    body = b'{"seq":4,"type":"step.completed","name":"a","ms":1,"result":%s' % (b"9" * 5000)
    line = line_of(body + f',"at":"{AT}"'.encode(), 7).replace(b'"name":"a"', b'"name":"b"')
    assert isinstance(codec.looks_whole(line), StepCompleted)
    assert tail.begins_whole_object(line)


def test_threads_that_lift_the_limit_of_integers_leave_it_as_it_was() -> None:
    before = sys.get_int_max_str_digits()
    inside, seen = threading.Event(), list[int]()

    def lift() -> None:
        with any_integers():
            inside.set()
            threading.Event().wait(0.05)  # the other thread comes, and goes first if it may
            seen.append(sys.get_int_max_str_digits())

    thread = threading.Thread(target=lift)
    thread.start()
    inside.wait()
    with any_integers():
        thread.join(0.2)
        seen.append(sys.get_int_max_str_digits())
    thread.join()
    assert seen == [0, 0]
    assert sys.get_int_max_str_digits() == before
