"""Journals whose checksums are right, and whose content no durably would write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    Event,
    LogWritten,
    ProgressReported,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
    StepCompleted,
    StepStarted,
)
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.crash.test_places import check_in_order
from tests.harness.places import OLD_RUN, Home
from tests.harness.strategies import lines_of


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


_AT, _NEVER = "2026-01-06T00:00:00.000Z", "2026-99-99T99:99:99.999Z"
_START = RunStarted(1, 1, "host", _AT)
STORIES: dict[str, tuple[Event, ...]] = {
    "at no time": (RunStarted(1, 1, "host", _NEVER), RunCompleted(Json("1"), _NEVER)),
    "of an age of its own": (
        _START,
        StepStarted("a", _AT),
        StepCompleted("a", 10**400, Json("1"), _AT),
        RunCompleted(Json("1"), _AT),
    ),
    "deep": (_START, RunCompleted(Json("[" * 900 + "]" * 900), _AT)),
    "beyond all numbers": (_START, ProgressReported(10**400, _AT, 1, "x")),
    "of a level of its own": (_START, LogWritten("\x1b[8m", "x", _AT, data={"a": {"b": [None]}})),
    "of an empty error": (_START, RunHasFailed(ErrorInfo("", "", ""), _AT)),
    "of a large number": (_START, RunCompleted(Json("1e999999"), _AT)),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_run_with_an_odd_story_hides_no_other(
    home: Home, story: str, count: Callable[[int], None]
) -> None:
    home.restore()
    at = _NEVER if story == "at no time" else _AT
    created = RunCreated(FORMAT, ids.new(), "work", Json("{}"), _AT)
    journal = Store(home.store).create(created)
    assert journal is not None
    created = created._replace(at=at)
    journal.close()
    data = b"".join(lines_of([created, *STORIES[story]], created.run))  # no append takes them all
    Store(home.store).path_of(created.run).write_bytes(data)
    for args in (
        ("list",),
        ("list", "--json"),
        ("inspect", "@last"),
        ("inspect", "@last", "--json"),
        ("inspect", "@last", "--html", "-"),
        ("inspect", "@last", "--svg", "-"),
        ("logs", "@last"),
        ("verify",),
        ("info",),
    ):
        for terminal in (False, True):
            ended = home.run(*args, terminal_out=terminal)
            check_in_order(ended)
            if args[0] == "list":
                assert OLD_RUN[-8:].encode() in ended.out, ended
    count(18)
