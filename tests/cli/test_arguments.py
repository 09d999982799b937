"""What is typed, made values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durably_cli import hints
from durably_cli.cli.arguments import read_input, read_labels, read_moment
from durably_cli.errors import InvalidInput, UsageError


@pytest.mark.parametrize(
    ("given", "fields", "expected"),
    [
        (None, [], "{}"),
        ("[1, 2]", [], "[1,2]"),
        ("{}", ["a=1", "b:=1", "c:=[true]", "d="], '{"a":"1","b":1,"c":[true],"d":""}'),
        ('{"a": 1}', ["a=x:=y"], '{"a":"x:=y"}'),
        (None, ["url=http://x/?a=b"], '{"url":"http://x/?a=b"}'),
        ('"\\u2603 \\ud83d\\ude00"', [], '"\\u2603 \\ud83d\\ude00"'),
    ],
)
def test_an_input_is_json_with_fields_laid_over_it(
    given: str | None, fields: list[str], expected: str
) -> None:
    assert read_input(given, fields) == expected


def test_a_file_that_is_not_utf_8_is_told_with_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "input.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InvalidInput, match=r"not UTF-8.*byte 7"):
        read_input(f"@{path}", [])


@pytest.mark.parametrize("given", ["{", "{'a': 1}", "nan", "[1,]", "1 2", "[" * 100_000])
def test_what_is_not_json_is_told(given: str) -> None:
    with pytest.raises(InvalidInput, match="--input is not JSON"):
        read_input(given, [])


def test_what_is_given_in_its_place_is_answered_with_how_to_give_that(tmp_path: Path) -> None:
    file = tmp_path / "it's.json"
    file.write_text('{"a": 1}')
    for given, hint in (
        (str(file), f"--input {hints.quoted(f'@{file}')}    (reads the file)"),
        ("org_id=secret", "-p org_id=...    (one field of the input)"),
        ("{a: 1}", "text needs double quotes"),
        ("\0", "text needs double quotes"),
    ):
        with pytest.raises(InvalidInput) as caught:
            read_input(given, [])
        assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize("given", ["", " \n"])
def test_an_empty_input_is_said_to_be_empty(given: str) -> None:
    with pytest.raises(InvalidInput, match="--input is empty"):
        read_input(given, [])


def test_a_long_line_is_shown_around_its_error() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_input('{"a": "' + "x" * 500 + '", b}', [])
    _, shown, caret = caught.value.what.split("\n")
    assert len(shown) < 90
    assert shown[len(caret) - 1] == "b"


@pytest.mark.parametrize("field", ["", "a", "=x", ":=1"])
def test_what_is_no_field_is_a_usage_error(field: str) -> None:
    with pytest.raises(UsageError):
        read_input(None, [field])


def test_labels() -> None:
    assert read_labels(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for label in ("a", "=b", ""):
        with pytest.raises(UsageError):
            read_labels([label])
    with pytest.raises(InvalidInput):
        read_labels(["a=\udcff"])


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("45m", timedelta(minutes=45)),
        ("12 h", timedelta(hours=12)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_span_since_now(given: str, span: timedelta) -> None:
    assert abs(datetime.now(UTC) - span - read_moment(given, "--since")) < timedelta(seconds=60)


def test_a_moment() -> None:
    assert read_moment("2026-11-23T06:00Z", "--since") == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert read_moment("2026-11-23", "--since") == datetime(2026, 11, 23).astimezone(UTC)
    for given in ("", "2", "d", "yesterday", "2026-13-01", "99999999999d"):
        with pytest.raises(UsageError):
            read_moment(given, "--since")
