"""Which cases of a test are quick ones: README's command runs those, `.ci/run` the others too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def some_quick(cases: Iterable[Any], most: int) -> list[Any]:
    """All cases; so many of them, from the first to the last, are quick, and the others are long.

    For plain cases that go through the same code, of which each may find a fault of its own.
    """
    found = list(cases)
    assert most > 0 and not any(isinstance(each, ParameterSet) for each in found)
    quick = {n * (len(found) - 1) // max(most - 1, 1) for n in range(most)}
    long = pytest.mark.long
    return [each if n in quick else pytest.param(each, marks=long) for n, each in enumerate(found)]


def sizes(quick: int, long: int, campaign: int | None) -> list[Any]:
    """How many cases are drawn: by the quick tests, by the long ones, and by the campaign."""
    more = pytest.param(long, marks=pytest.mark.long)
    return [quick, more, pytest.param(campaign, marks=pytest.mark.campaign)]
