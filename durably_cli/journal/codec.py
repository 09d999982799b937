"""An event and its line: the law of the journal's bytes.

A line is one JSON object and a newline, ASCII only, `seq` first and `crc` last:

    {"seq":2,"type":"step.started","name":"fetch-users","at":"2026-11-23T03:00:00.123Z","crc":"39f86712"}

`crc` is the crc32 of the bytes in front of `,"crc":"`, seeded with the crc that the line before
shows, for line 0 with the crc32 of the run's id. So a line that was changed, moved, doubled,
dropped or brought from another run breaks the chain where it stands, and nowhere else.

Fields that equal their default are left out; fields that are not known are passed over.

`synced_to`, behind `at`, helps to judge what a power cut left: when the line was written, the
journal was known to be on disk up to that byte. It stands in the line of a durable event that may
reach the disk before a sector in front of it does, and of no other.

What `encode` writes, `decode` reads. It reads two things more, which durably 0.1 wrote: names twice
in the data of a log line, and integers of more digits than Python reads by default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zlib import crc32

from durably_cli.journal import step_names
from durably_cli.journal.events import FORMAT, ErrorInfo, Unknown
from durably_cli.journal.layout import LAYOUTS, MISSING, FieldKind
from durably_cli.journal.lenient import MANY_DIGITS, PEEK, any_integers, read_log_line
from durably_cli.journal.registry import TYPES, Event
from durably_cli.journal.step_names import StepName
from durably_cli.values.strict_json import DECODER, Json, as_read, has_lone_surrogate

CRC_BYTES = len(b',"crc":"00000000"}')
END_BYTES = CRC_BYTES + 1
"""The checksum's bytes and the newline's."""
_MOST_AT_END = END_BYTES + len(b',"synced_to":') + 18

_MOST = 2**63
_CRC = rb',"crc":"([0-9a-f]{8})"\}'
_SYNCED_TO = re.compile(rb',"synced_to":(\d{1,18})' + _CRC + rb"\n?")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class BadLine(ValueError):
    """The bytes are not the line that belongs here; the message says why."""


class NewerFormat(ValueError):
    """Line 0 says that a newer durably wrote this journal."""


Line = tuple[bytes, int]
"""A line's bytes, newline included, and the crc that the next line continues from."""


def name_of(event: Event) -> str:
    """The name its line gives an event, such as `step.completed`."""
    return event.type if isinstance(event, Unknown) else LAYOUTS[type(event)].type


def seed(run_id: str) -> int:
    """What the chain of this run starts from."""
    return crc32(run_id.encode())


def encode(seq: int, event: Event, previous: int, synced_to: int | None = None) -> Line:
    """The line of an event that follows the line whose crc is `previous`.

    ValueError or TypeError for what could not be read back.
    """
    if isinstance(event, Unknown):
        raise ValueError(f"durably writes no {event.type}")
    _, head_of_line, _, writers, at = LAYOUTS[type(event)]
    text = f'{{"seq":{seq}{head_of_line}'
    for place, head, write, default in writers:
        value = event[place]
        if default is MISSING or value != default:
            text += head + write(value)
    text += f',"at":"{event[at]}"'
    if "\\ud" in text and has_lone_surrogate(text):
        raise ValueError("a lone surrogate cannot be written")
    return sealed(text, previous, synced_to)


def sealed(text: str, previous: int, synced_to: int | None = None) -> Line:
    """The line of this text, with its checksum."""
    if synced_to is not None:
        text += f',"synced_to":{synced_to}'
    body = text.encode("ascii")
    crc = crc32(body, previous)
    return body + b',"crc":"%08x"}\n' % crc, crc


def line_of(seq: int, event: Event, previous: int, synced_to: int | None = None) -> Line:
    """The line of an event, which every reader takes. ValueError or TypeError if there is none."""
    line = encode(seq, event, previous, synced_to)
    try:
        _event_of(line[0].removesuffix(b"\n"), seq, DECODER.raw_decode)
    except BadLine as bad:
        if isinstance(bad.__context__, RecursionError):  # the caller's stack is too full to know
            raise bad.__context__ from None
        raise
    return line


def decode(data: bytes, seq: int, previous: int) -> tuple[Event, int]:
    """The event of a line (without its newline), checked against the chain, and its crc.

    BadLine if it is not line `seq` after a line whose crc is `previous`; NewerFormat if it says
    so: the law of line 0 holds in every format.
    """
    crc = crc32(data[:-CRC_BYTES], previous)
    if data[-CRC_BYTES:] != b',"crc":"%08x"}' % crc:
        raise BadLine(_why_not(data, seq))
    try:
        event = _event_of(data, seq, DECODER.raw_decode)
    except BadLine as bad:
        event = _event_of_before(data, seq, bad)
    return event, crc


def _event_of(data: bytes, seq: int, parse: Callable[[str], tuple[Any, int]]) -> Event:
    """The event of a line whose checksum is right."""
    fields = _object(data, parse)
    if not data.startswith(b'{"seq":%d,' % seq):
        raise BadLine(f"it is not line {seq} of this run")
    if has_lone_surrogate(data.decode("ascii")):
        raise BadLine("half a surrogate pair is in it")
    return _event(fields, data)


def _event_of_before(data: bytes, seq: int, bad: BadLine) -> Event:
    """The event of a line as durably 0.1 wrote it, if it is one of those; else `bad` is raised."""
    if data.startswith(b'{"seq":%d,"type":"log.written",' % seq):
        return _event_of(data, seq, read_log_line)
    if MANY_DIGITS.search(data):
        with any_integers():
            return _event_of(data, seq, DECODER.raw_decode)
    raise bad


def looks_whole(data: bytes) -> Event | None:
    """The event in a line of which only the chain may be wrong; None for anything less."""
    try:
        return _event(_object(data.rstrip(b"\n")), data)
    except ValueError:
        return None


def synced_to(data: bytes) -> int | None:
    """Up to where the journal was on disk when this line was written; None if up to the line."""
    found = _SYNCED_TO.search(data, max(0, len(data) - _MOST_AT_END))
    return int(found[1]) if found else None


def _object(data: bytes, parse: Callable[[str], tuple[Any, int]] = PEEK) -> dict[str, Any]:
    try:
        text = data.decode("ascii")
        fields, end = parse(text)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"it is not JSON: {error}") from None
    if not isinstance(fields, dict) or end != len(text):
        raise BadLine("it is not one JSON object")
    return fields


def _event(fields: dict[str, Any], data: bytes) -> Event:
    called, at = fields.get("type"), fields.get("at")
    if called == "run.created":
        _check_format(fields.get("format"))
    if not isinstance(called, str) or not isinstance(at, str):
        raise BadLine("it has no type or no time")
    if not is_time(at):
        raise BadLine(f"{at:.40} is no time")
    cls: Any = TYPES.get(called)
    if cls is None:
        return Unknown(called, at, data.decode("ascii", "backslashreplace"))
    values: list[Any] = []
    for name, declared, kind, default in LAYOUTS[cls].fields:
        value = fields.get(name, MISSING)
        if value is MISSING:
            if default is MISSING:
                raise BadLine(f"it is a {called} without its {name}")
            value = default
        elif declared is Json:
            value = _text_of(name, value)
        elif not isinstance(value, kind.types):
            raise BadLine(f"the {name} of its {called} is a {type(value).__name__}")
        elif isinstance(value, (int, float)) and not _is_number(value, kind):
            raise BadLine(f"the {name} of its {called} is beyond all numbers")
        elif declared is StepName and ("map" in fields or "scope" in fields):
            try:
                value = step_names.name_in_line(str(value), fields)
            except ValueError:
                raise BadLine(f"nobody knows where the step of its {called} stands") from None
        elif declared == list[str] and not all(isinstance(each, str) for each in fields[name]):
            raise BadLine(f"the {name} of its {called} are not all texts")
        elif declared is ErrorInfo:
            value = ErrorInfo(*(str(fields[name].get(part, "")) for part in ErrorInfo._fields))
        elif name == "until" and not is_time(fields[name]):
            raise BadLine(f"{value:.40} is no time")
        values.append(value)
    event: Event = cls._make(values)
    return event


def _is_number(value: float, kind: FieldKind) -> bool:
    """Is it one that a field of this kind may have: if it is a float, any finite one?"""
    if float not in kind.types:
        return -_MOST < value < _MOST
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_time(at: str) -> bool:
    """Is this a time as lines have it?"""
    if not _AT.fullmatch(at):
        return False
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return False
    return True


def _text_of(name: str, value: object) -> Json:
    """The JSON of a field."""
    try:
        return Json(as_read(value))
    except (ValueError, RecursionError) as error:
        raise BadLine(f"its {name} is not JSON: {error}") from None


def _check_format(found: object) -> None:
    if isinstance(found, int) and found > FORMAT:
        raise NewerFormat(f"its format is {found}, and this durably knows {FORMAT}")
    if found != FORMAT:
        raise BadLine(f"its format is {found!r}")


def _why_not(data: bytes, seq: int) -> str:
    shown = re.search(_CRC, data[max(0, len(data) - CRC_BYTES) :])
    if shown is None:
        return "the line is not whole"
    found = re.match(rb'\{"seq":(\d{1,18}),', data)
    if found and int(found[1]) != seq:
        return f"line {int(found[1])} stands where line {seq} belongs"
    return "its checksum does not match"
