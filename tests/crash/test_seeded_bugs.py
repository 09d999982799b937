"""Every part of the campaign can fail: with one safeguard switched off, it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.cli.help import page
from tests.harness.seeded_bugs import SEEDED_BUGS, UNCHANGED
from tests.harness.seeding import SeededBug, run_tests

PAIRS = [(bug, part) for bug in SEEDED_BUGS for part in bug.caught_by]
"""Each seeded bug with each part that catches it."""


def _file_of(part: str) -> str:
    return part.partition("::")[0]


_QUICKEST_FIRST = sorted(PAIRS, key=lambda pair: pair[1] != pair[0].caught_by[0])

CONTROLS = [
    next(pair for pair in _QUICKEST_FIRST if _file_of(pair[1]) == file)
    for file in dict.fromkeys(_file_of(part) for _, part in PAIRS)
]
"""For each part, one seeded bug that it catches."""


def check_caught(bug: SeededBug, part: str, folder: Path) -> None:
    """An assertion fails in this part of the campaign; not its set-up, and not its imports."""
    done = run_tests(bug, folder, f"tests/crash/test_{part}")
    if done.returncode == 0 and " skipped" in done.stdout.splitlines()[-1]:
        pytest.skip(f"{part} cannot be run here")
    assert done.returncode == 1, f"{bug.name} was not caught by {part}:\n{done.stdout}"
    assert "1 failed" in done.stdout, done.stdout
    assert "from pytest-timeout" not in done.stdout, done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout


def _named(value: object) -> str:
    return value.name if isinstance(value, SeededBug) else str(value)


@pytest.mark.long
@pytest.mark.timeout(1800)  # pytest in pytest: the inner one has the limit of all tests
@pytest.mark.parametrize(("bug", "part"), CONTROLS, ids=_named)
def test_a_part_fails_when_its_safeguard_is_off(
    bug: SeededBug, part: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    check_caught(bug, part, tmp_path)
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("bug", "part"), [pair for pair in PAIRS if pair not in CONTROLS], ids=_named
)
def test_a_seeded_bug_is_caught(
    bug: SeededBug, part: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    check_caught(bug, part, tmp_path)
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize("part", [part for _, part in CONTROLS])
def test_a_part_passes_when_nothing_is_changed(part: str, tmp_path: Path) -> None:
    done = run_tests(UNCHANGED, tmp_path, f"tests/crash/test_{part}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("bug", SEEDED_BUGS, ids=_named)
def test_a_seeded_bug_puts_something_else_in_the_place_of_what_is_there(bug: SeededBug) -> None:
    _, _, found = bug.target()
    assert bug.faulty(found) is not found


def test_a_seeded_bug_without_a_place_is_an_error_where_it_is_seeded() -> None:
    with pytest.raises(AttributeError):
        UNCHANGED._replace(place="durably_cli.version:nothing").install()


def test_every_seeded_bug_is_caught_somewhere_and_at_least_sixteen_are() -> None:
    assert len({bug.name for bug in SEEDED_BUGS}) == len(SEEDED_BUGS) >= 16
    assert all(bug.caught_by for bug in SEEDED_BUGS)
    assert f"{len(SEEDED_BUGS)} bugs are seeded" in page("durability")
