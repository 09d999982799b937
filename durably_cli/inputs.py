"""What is typed on the command line, made values: JSON, fields, labels and times."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from durably_cli import values
from durably_cli.codec import to_json
from durably_cli.errors import InvalidInput, UsageError
from durably_cli.events import Json

_FIELD = re.compile(r"([^=:]+)(:?=)(.*)", re.DOTALL)
_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_input(given: str | None, fields: Sequence[str]) -> Json:
    """The input of `--input JSON|@FILE|-` with the fields of `-p` laid over it; {} by default.

    InvalidInput for what is not JSON, with the place.
    """
    value = {} if given is None else _parse(*_text_of(given))
    for field in fields:
        name, item = _field(field)
        if not isinstance(value, dict):
            raise UsageError(f"-p {field!r} sets a field, and the input is no JSON object")
        value[name] = item
    return Json(to_json(value))


def read_labels(given: Sequence[str]) -> dict[str, str]:
    """The labels of `--label key=value`. UsageError for what is none."""
    labels = {}
    for label in given:
        name, equals, value = label.partition("=")
        if not (name and equals):
            raise UsageError(f"{label!r} is no label; it reads key=value")
        labels[_text(name)] = _text(value)
    return labels


def read_key(option: str, given: str | None) -> str | None:
    """A key as it was given. UsageError for an empty one."""
    if given == "":
        raise UsageError(f"{option} is empty", hint="give it a text, or leave it out")
    return None if given is None else _text(given)


def read_since(given: str) -> datetime:
    """The moment of `--since`: a span such as 45m, 12h, 2d or 1w, or an ISO date or time."""
    found = _SPAN.fullmatch(given.strip())
    try:
        if found:
            return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        return datetime.fromisoformat(given.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {given!r} is no time; it reads 45m, 12h, 2d, 1w, 2026-11-23 or "
            "2026-11-23T06:00"
        ) from None


def _text_of(given: str) -> tuple[str, str]:
    """The JSON text that `--input` names, and the name to call it by in errors."""
    if given == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                "--input - reads JSON from a pipe, and stdin is a terminal",
                hint="give the JSON itself, --input '{...}', or a file, --input @FILE",
            )
        return _decoded(sys.stdin.buffer.read(), "stdin"), "stdin"
    if given.startswith("@"):
        try:
            with open(given[1:], "rb") as file:
                return _decoded(file.read(), given[1:]), given[1:]
        except OSError as error:
            raise UsageError(f"--input {given}: {error.strerror}") from None
    return given, "--input"


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None


def _parse(text: str, name: str) -> Any:
    try:
        return values.parse_strict(text)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        line = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
        begin = max(0, error.colno - 41)
        raise InvalidInput(
            f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}\n"
            f"  {line[begin : begin + 80]}\n  {' ' * (error.colno - 1 - begin)}^",
            hint='text needs double quotes, and the whole single ones: --input \'{"name": "Ann"}\'',
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON: {error}") from None


def _field(given: str) -> tuple[str, Any]:
    found = _FIELD.fullmatch(given)
    if found is None:
        raise UsageError(f"-p {given!r} is no field; it reads key=text or key:=json")
    name, sign, text = found.groups()
    return _text(name), _parse(text, f"-p {name}") if sign == ":=" else _text(text)


def _text(given: str) -> str:
    """The text of an argument; its bytes must have been UTF-8."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{given!r} is not UTF-8") from None
    return given
