"""What is typed, made values: a job's input, its single fields, labels and times."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from durably_cli import hints
from durably_cli.errors import InvalidInput, UsageError
from durably_cli.system import clock
from durably_cli.system.files import refuse_without_folder
from durably_cli.values import strict_json
from durably_cli.values.strict_json import Json, is_text, to_json

if TYPE_CHECKING:
    from durably_cli.engines.decisions import Decisions

_FIELD = r"(?s)([^=:]+)(:?=)(.*)"


def read_input(
    given: str | None, fields: Sequence[str], flags: Mapping[str, Any] | None = None
) -> Json:
    """The input of `--input JSON|@FILE|-`, with the fields of `-p` and then of flags laid over it.

    It is {} by default.

    InvalidInput for what is not JSON, with the place.
    """
    value = {} if given is None else _parse(*_text_of(given))
    return laid_over(laid_over_by(Json(to_json(value)), fields), flags or {})


def laid_over_by(input: Json, fields: Sequence[str]) -> Json:
    """The input with the fields of `-p` laid over it. UsageError if it is no object."""
    value = json.loads(input) if fields else None
    for field in fields:
        name, item = _field(field)
        if not isinstance(value, dict):
            raise UsageError(f"-p {field!r} sets a field, and the input is no JSON object")
        value[name] = item
    return Json(to_json(value)) if fields else input


def laid_over(input: Json, flags: Mapping[str, Any]) -> Json:
    """The input with these fields laid over it. UsageError if it is no object."""
    if not flags:
        return input
    value = json.loads(input)
    if not isinstance(value, dict):
        raise UsageError("a flag sets a field of the input, and the input is no JSON object")
    return Json(to_json({**value, **flags}))


def _text_of(given: str, option: str = "--input") -> tuple[str, str]:
    """The JSON text that an option names, and the name to call it by in errors."""
    if given == "-":
        return _decoded(read_stdin(), "stdin"), "stdin"
    if given.startswith("@"):
        try:
            with open(given[1:], "rb") as file:
                return _decoded(file.read(), given[1:]), given[1:]
        except OSError as error:
            refuse_without_folder(error)
            raise UsageError(f"{option} {given}: {error.strerror}") from None
    return given, option


def read_stdin() -> bytes:
    """What `--input -` reads. UsageError if that is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--input - reads JSON from a pipe, and stdin is a terminal",
            hint="give the JSON itself, --input '{...}', or a file, --input @FILE",
        )
    return sys.stdin.buffer.read()


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None


def _parse(text: str, name: str) -> Any:
    if not text.strip():
        raise InvalidInput(f"{name} is empty", hint="the empty input is '{}', or no --input at all")
    try:
        return strict_json.parse(text)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        line = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
        begin = max(0, error.colno - 41)
        raise InvalidInput(
            f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}\n"
            f"  {line[begin : begin + 80]}\n  {' ' * (error.colno - 1 - begin)}^",
            hint=_how_to_give(text),
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON: {error}") from None


def _how_to_give(text: str) -> str:
    """How to give an input that is not JSON: perhaps it is a file's name, a field, or a text."""
    from durably_cli import retyping  # only after a mistake

    if os.path.isfile(text):
        file = f"@{text}"
        how = retyping.with_word(text, file) or f"--input {hints.quoted(file)}"
        return f"{how}    (reads the file)"
    if found := re.match(r"\w+(?==)", text):
        return f"-p {found[0]}=...    (one field of the input)"
    if re.fullmatch(r"\w[\w .-]*", text) and (
        whole := retyping.with_word(text, json.dumps(text, ensure_ascii=False))
    ):
        return f"{whole}    (a text; an object reads --input '{{...}}')"
    return 'text needs double quotes, and the whole single ones: --input \'{"name": "Ann"}\''


def _field(given: str) -> tuple[str, Any]:
    found = re.fullmatch(_FIELD, given)
    if found is None:
        raise UsageError(
            f"-p {given!r} is no field; it reads key=text or key:=json",
            hint="-p org_id=org_123 -p force:=true, or all of it: --input '{...}'",
        )
    name, sign, text = found.groups()
    return argument_text(name), _parse(text, f"-p {name}") if sign == ":=" else argument_text(text)


def read_decisions(
    redo: Sequence[str], done: Sequence[str], results: Sequence[str], *, only: bool
) -> Decisions:
    """What somebody says of steps. UsageError for what makes no sense, InvalidInput for no JSON."""
    from durably_cli.engines.decisions import Decisions  # few commands are given any
    from durably_cli.values.quantities import plural

    if results and len(results) != len(done):
        often, result = plural(len(done), "time"), plural(len(results), "time")
        counts = f"--done is given {often}, and --result {result}"
        raise UsageError(f"{counts}: give a --result for each --done, in the same order, or none")
    if only and not redo:
        raise UsageError("--only says nothing without --redo")
    if twice := [step for step in done if done.count(step) > 1]:
        raise UsageError(f"--done {hints.quoted(twice[0])} is given twice: say once what it gave")
    found = [Json(to_json(_parse(*_text_of(text, "--result")))) for text in results]
    steps = map(argument_text, done)
    given = dict(zip(steps, found or [Json("null")] * len(done), strict=True))
    return Decisions(list(map(argument_text, redo)), given, only)


_AGO = r"(\d+\s*[smhdw])(?:\s+ago)?"


def read_labels(given: Sequence[str]) -> dict[str, str]:
    """The labels of `--label key=value`. UsageError for what is none."""
    labels = {}
    for label in given:
        name, equals, value = label.partition("=")
        if not (name and equals):
            raise UsageError(f"{label!r} is no label; it reads key=value")
        labels[argument_text(name)] = argument_text(value)
    return labels


def read_span(given: str, option: str) -> float:
    """The seconds of a span such as 90, 0.5s, 30m, 1h30m or 1d. UsageError for what is none."""
    from durably_cli.values.durations import seconds_in  # few commands are given a span

    try:
        return seconds_in(given)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def read_limit(given: str, option: str) -> float:
    """The seconds of a time limit. UsageError for what is none, or no time at all."""
    seconds = read_span(given, option)
    if not seconds:
        raise UsageError(f"{option} {given!r} gives it no time")
    return seconds


def read_moment(given: str, option: str) -> datetime:
    """The moment an option means: a span such as 45m, 12h, 2d or 1w, or an ISO date or time.

    What the screen shows is read back: times with an offset, local ones, `3h ago`, and a time of
    day, which is the last one that has been.
    """
    found = re.fullmatch(_AGO, given.strip())
    try:
        if found:
            from durably_cli.values.durations import seconds_in

            return clock.utc_now() - timedelta(seconds=seconds_in(found[1]))
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", given.strip()):
            of_day = time.fromisoformat(given.strip())
            now = datetime.now(of_day.tzinfo)
            today = datetime.combine(now.date(), of_day)
            return (today - timedelta(days=today > now)).astimezone(UTC)
        return datetime.fromisoformat(given.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {given!r} is no time; it reads 45m, 12h, 2d, 1w, 2026-11-23 or "
            "2026-11-23T06:00, or 06:00"
        ) from None


def argument_text(given: str) -> str:
    """The text of an argument; its bytes must have been UTF-8."""
    if not is_text(given):
        raise InvalidInput(
            f"{given!r} is not UTF-8, and a journal holds text",
            hint="if it names a file, give that another name, or a link that has one (ln -s)",
        )
    return given
