"""Spans of time are read as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durably_cli.values.durations import seconds_in


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (90, 90),
        (0, 0),
        (1.5, 1.5),
        (timedelta(minutes=2), 120),
        ("90", 90),
        ("90s", 90),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("3d", 259_200),
        ("2w", 1_209_600),
        ("250ms", 0.25),
        (" 5m ", 300),
    ],
)
def test_seconds(given: Any, seconds: float) -> None:
    assert seconds_in(given) == seconds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (-1, "negative"),
        (timedelta(seconds=-1), "negative"),
        (float("nan"), "no number"),
        (float("inf"), "longer than 100 years"),
        (10**400, "longer than 100 years"),
        (timedelta.max, "longer than 100 years"),
        ("99999w", "longer than 100 years"),
        ("", "it reads 90s"),
        ("-5s", "it reads 90s"),
        ("5 parsecs", "it reads 90s"),
        ("1h30", "it reads 90s"),
    ],
)
def test_what_is_no_span_of_time_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        seconds_in(given)


@pytest.mark.parametrize("given", [None, True, [1], b"5s"])
def test_what_is_of_no_such_type_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="a span of time is seconds, a timedelta or a text"):
        seconds_in(given)
