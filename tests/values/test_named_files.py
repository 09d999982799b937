"""The files that a result's JSON names, and results that are equal but for the times of files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from durably_cli import File
from durably_cli.values import convert
from durably_cli.values.named_files import files_named_in, result_sha256
from durably_cli.values.strict_json import Json, to_json
from tests.harness import strategies


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory, with two files."""
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"a")
    Path("b").write_bytes(b"b")


def text_of(value: Any, declared: Any) -> Json:
    return convert.round_trip(convert.converter(declared), value)[0]


def test_every_file_is_found_once_and_as_it_was_seen() -> None:
    files = [File("a"), File("b", changed="fail")]
    text = text_of({"x": [files], "y": [files[:1]]}, dict[str, list[list[File]]])
    Path("a").write_bytes(b"other")
    found = files_named_in(text)
    assert [(str(file.path), file.size, file.changed) for file in found] == [
        ("a", 1, "again"),
        ("b", 1, "fail"),
    ]
    assert [file.is_unchanged() for file in found] == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "null",
        '"$file"',
        '["\\"$file\\""]',
        '{"$file":"a"}',
        '{"$file":"a","size":1,"mtime":1,"sha256":"x"}',
        '{"$file":1,"size":true,"mtime":1,"sha256":1}',
    ],
)
def test_what_only_looks_like_a_file_is_none(text: str) -> None:
    assert files_named_in(Json(text)) == []


@given(strategies.jsons)
def test_plain_results_name_no_files_and_are_equal_as_json_is(text: Json) -> None:
    assert files_named_in(text) == []
    turned = to_json(_turned(json.loads(text)))
    assert result_sha256(text) == result_sha256(turned)
    assert result_sha256(Json(f"[{text}]")) != result_sha256(text)


def _turned(value: Any) -> Any:
    """The same with the names of objects in another order."""
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(each) for each in value] if isinstance(value, list) else value


def test_a_file_that_was_written_again_as_it_was_is_the_same_result() -> None:
    before = text_of([File("a")], list[File])
    os.utime("a", (1, 1))
    touched = text_of([File("a")], list[File])
    Path("a").write_bytes(b"x")
    changed = text_of([File("a")], list[File])
    assert before != touched
    assert result_sha256(before) == result_sha256(touched) != result_sha256(changed)
    assert result_sha256(before) != result_sha256(text_of([File("b")], list[File]))


def test_the_time_of_anything_else_counts() -> None:
    assert result_sha256(Json('{"mtime":1}')) != result_sha256(Json('{"mtime":2}'))
    assert result_sha256(Json('{"$file":"a","mtime":1}')) != result_sha256(
        Json('{"$file":"a","mtime":2}')
    )
