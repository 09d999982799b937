"""Strict JSON: what is written is what every reader takes, and nothing else is read."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given

from durably_cli.values import strict_json
from durably_cli.values.strict_json import to_json
from tests.harness import strategies


@given(strategies.values)
def test_what_is_written_is_compact_ascii_and_comes_back(value: object) -> None:
    text = to_json(value)
    assert text == json.dumps(value, separators=(",", ":"))
    assert text.isascii()
    assert repr(strict_json.parse(text)) == repr(value)
    assert strict_json.SCAN(text, 0) == (value, len(text))


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_what_is_no_number_is_never_written(value: object) -> None:
    with pytest.raises(ValueError):
        to_json(value)


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "1e400", '{"a":1,"a":2}', '"\\ud800"', '{"a":', "", "'a'", "1 2"],
)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        strict_json.parse(text)


@pytest.mark.parametrize(("levels", "is_too_deep"), [(strict_json.DEEPEST, False), (201, True)])
def test_nesting_counts_brackets_that_are_open_and_none_in_texts(
    levels: int, is_too_deep: bool
) -> None:
    texts = json.dumps("[{" * 300)
    assert strict_json.is_too_deep(f"{'[' * levels}{texts}{']' * levels}") is is_too_deep
    assert not strict_json.is_too_deep(f"[{','.join(['[]'] * 300)}]")
