"""An event and its line: the law of the journal's bytes.

A line is one JSON object and a newline, ASCII only, `seq` first and `crc` last:

    {"seq":2,"type":"step.started","name":"fetch-users","at":"2026-11-23T03:00:00.123Z","crc":"39f86712"}

`crc` is the crc32 of the bytes in front of `,"crc":"`, seeded with the crc that the line before
shows, for line 0 with the crc32 of the run's id. So a line that was changed, moved, doubled,
dropped or brought from another run breaks the chain where it stands, and nowhere else.

Fields that equal their default are left out; fields that are not known are passed over.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from zlib import crc32

from durably_cli.events import FORMAT, TYPES, ErrorInfo, Event, Json, Unknown

CRC_BYTES = len(b',"crc":"00000000"}')

to_json = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
"""A plain value as strict, compact JSON. ValueError for NaN and Infinity."""

_NAMES = {cls: name for name, cls in TYPES.items()}
_JSON_FIELDS = frozenset({"input", "result", "output"})
_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "attempt": int,
    "pid": int,
    "ms": int,
    "dropped": int,
    "labels": dict,
    "versions": dict,
    "data": dict,
    "error": dict,
    "current": (int, float),
    "total": (int, float, type(None)),
}
_TEXT = (str, type(None))
_CRC = re.compile(rb',"crc":"([0-9a-f]{8})"\}')
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|.)")


class BadLine(ValueError):
    """The bytes are not the line that belongs here; the message says why."""


class NewerFormat(ValueError):
    """Line 0 says that a newer durably wrote this journal."""


class Line(NamedTuple):
    """A line's bytes, newline included, and the crc that the next line continues from."""

    data: bytes
    crc: int


def name_of(event: Event) -> str:
    """The name its line gives an event, `step.completed` for one."""
    return event.type if isinstance(event, Unknown) else _NAMES[type(event)]


def seed(run_id: str) -> int:
    """What the chain of this run starts from."""
    return crc32(run_id.encode())


def encode(seq: int, event: Event, previous: int) -> Line:
    """The line of an event that follows the line whose crc is `previous`."""
    if isinstance(event, Unknown):
        raise ValueError(f"durably writes no {event.type}")
    parts = [f'{{"seq":{seq},"type":"{_NAMES[type(event)]}"']
    defaults = event._field_defaults
    for field, value in zip(event._fields, event, strict=True):
        if field == "at" or (field in defaults and value == defaults[field]):
            continue
        if isinstance(value, ErrorInfo):
            value = value._asdict()
        parts.append(f',"{field}":{value if field in _JSON_FIELDS else to_json(value)}')
    parts.append(f',"at":"{event.at}"')
    text = "".join(parts)
    if has_lone_surrogate(text):
        raise ValueError("a lone surrogate cannot be written")
    body = text.encode("ascii")
    crc = crc32(body, previous)
    return Line(body + b',"crc":"%08x"}\n' % crc, crc)


def decode(data: bytes, seq: int, previous: int) -> tuple[Event, int]:
    """The event of a line (without its newline), checked against the chain, and its crc.

    BadLine if it is not line `seq` after a line whose crc is `previous`; NewerFormat if it says
    so: the law of line 0 holds in every format.
    """
    crc = crc32(data[:-CRC_BYTES], previous)
    if data[-CRC_BYTES:] != b',"crc":"%08x"}' % crc:
        raise BadLine(_why_not(data, seq))
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(fields, dict) or fields.get("seq") != seq:
        raise BadLine(f"not line {seq} of this run")
    return _event(fields, data), crc


def looks_whole(data: bytes) -> Event | None:
    """The event in a line of which only the chain may be wrong; None for anything less."""
    try:
        fields = json.loads(data)
        return _event(fields, data) if isinstance(fields, dict) else None
    except (ValueError, RecursionError):
        return None


def begins_whole_object(data: bytes) -> bool:
    """Is a complete JSON object the first thing in these bytes?"""
    try:
        json.JSONDecoder().raw_decode(data.decode("ascii", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def has_lone_surrogate(text: str) -> bool:
    """Does a JSON text escape half a surrogate pair? (No JSON reader but Python's takes that.)"""
    if "\\ud" not in text:
        return False
    end_of_high = -1
    for escape in _ESCAPE.finditer(text):
        unit = int(escape[1] or "0", 16)
        if 0xDC00 <= unit <= 0xDFFF:
            if escape.start() != end_of_high:
                return True
            end_of_high = -1
        elif end_of_high >= 0:
            return True
        elif 0xD800 <= unit <= 0xDBFF:
            end_of_high = escape.end()
    return end_of_high >= 0


def _event(fields: dict[str, Any], data: bytes) -> Event:
    name, at = fields.get("type"), fields.get("at")
    if name == "run.created":
        _check_format(fields.get("format"))
    if not isinstance(name, str) or not isinstance(at, str) or not _AT.fullmatch(at):
        raise BadLine("it has no type or no time")
    cls = TYPES.get(name)
    if cls is None:
        return Unknown(name, at, data.decode("ascii", "backslashreplace"))
    values: list[Any] = []
    for field in cls._fields:
        if field not in fields:
            if field not in cls._field_defaults:
                raise BadLine(f"a {name} without its {field}")
            values.append(cls._field_defaults[field])
            continue
        value = fields[field]
        if field in _JSON_FIELDS:
            value = Json(to_json(value))
        elif not isinstance(value, _FIELD_TYPES.get(field, _TEXT)):
            raise BadLine(f"the {field} of its {name} is a {type(value).__name__}")
        elif field == "error":
            value = ErrorInfo(*(str(fields[field].get(key, "")) for key in ErrorInfo._fields))
        values.append(value)
    event: Event = cls._make(values)
    return event


def _check_format(found: object) -> None:
    if isinstance(found, int) and found > FORMAT:
        raise NewerFormat(f"its format is {found}, and this durably knows {FORMAT}")
    if found != FORMAT:
        raise BadLine(f"its format is {found!r}")


def _why_not(data: bytes, seq: int) -> str:
    shown = _CRC.search(data, max(0, len(data) - CRC_BYTES))
    if shown is None:
        return "the line is not whole"
    found = re.match(rb'\{"seq":(\d{1,18}),', data)
    if found and int(found[1]) != seq:
        return f"line {int(found[1])} stands where line {seq} belongs"
    return "its checksum does not match"
