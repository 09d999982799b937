"""Which cases of a test are quick ones: README's command runs those, `.ci/run` the others too."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
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


def sizes(quick: int, campaign: int | None) -> list[Any]:
    """How many cases are drawn: by the quick test, and by the campaign."""
    return [quick, pytest.param(campaign, marks=pytest.mark.campaign)]


def some_or_all(every: int) -> pytest.MarkDecorator:
    """A long test meets one of so many faults, its `every`, drawn at random.

    The campaign meets all of them.
    """
    some = pytest.param(every, marks=pytest.mark.long, id="some")
    rest = pytest.param(1, marks=pytest.mark.campaign, id="all")
    return pytest.mark.parametrize("every", [some, rest])


def quick_or_some(quick: list[Any], every: int, functions: list[Any]) -> pytest.MarkDecorator:
    """For tests that take a function as `handler`, and `every`: some meet all faults quickly.

    The others meet one of so many in a long test, and all of them in the campaign.
    """
    cases = [pytest.param(each, 1, id=each.__name__) for each in quick]
    for each in functions:
        if each not in quick:
            some = pytest.param(each, every, marks=pytest.mark.long, id=f"{each.__name__}-some")
            rest = pytest.param(each, 1, marks=pytest.mark.campaign, id=f"{each.__name__}-all")
            cases += [some, rest]
    return pytest.mark.parametrize(("handler", "every"), cases)


def drawn(every: int) -> Iterator[int]:
    """Of 1, 2, 3, ... one of so many, without end; no gap is twice as long."""
    number = 0
    while True:
        number += random.randint(1, 2 * every - 1)
        yield number
