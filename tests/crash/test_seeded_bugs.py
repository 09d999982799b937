"""Every part of the campaign can fail: with one safeguard switched off, it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.topics import page
from tests.crash.mutants import Mutant, run_tests
from tests.crash.seeded_bugs import MUTANTS

UNCHANGED = Mutant("unchanged", "version.py", "__version__", "__version__", ())

PAIRS = [(mutant, part) for mutant in MUTANTS for part in mutant.caught_by]
"""Each seeded bug with each part that catches it."""


def _file_of(part: str) -> str:
    return part.partition("::")[0]


_QUICKEST_FIRST = sorted(PAIRS, key=lambda pair: pair[1] != pair[0].caught_by[0])

CONTROLS = [
    next(pair for pair in _QUICKEST_FIRST if _file_of(pair[1]) == file)
    for file in dict.fromkeys(_file_of(part) for _, part in PAIRS)
]
"""For each part, one seeded bug that it catches."""


def check_caught(mutant: Mutant, part: str, folder: Path) -> None:
    """An assertion fails in this part of the campaign; not its set-up, and not its imports."""
    done = run_tests(mutant.copy(folder / "copy"), f"tests/crash/test_{part}")
    if done.returncode == 0 and " skipped" in done.stdout.splitlines()[-1]:
        pytest.skip(f"{part} cannot be run here")
    assert done.returncode == 1, f"{mutant.name} was not caught by {part}:\n{done.stdout}"
    assert "1 failed" in done.stdout, done.stdout
    assert "from pytest-timeout" not in done.stdout, done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout


def _named(value: object) -> str:
    return value.name if isinstance(value, Mutant) else str(value)


@pytest.mark.timeout(1800)  # pytest in pytest: the inner one has the limit of all tests
@pytest.mark.parametrize(("mutant", "part"), CONTROLS, ids=_named)
def test_a_part_fails_when_its_safeguard_is_off(
    mutant: Mutant, part: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    check_caught(mutant, part, tmp_path)
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("mutant", "part"), [pair for pair in PAIRS if pair not in CONTROLS], ids=_named
)
def test_a_seeded_bug_is_caught(
    mutant: Mutant, part: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    check_caught(mutant, part, tmp_path)
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize("part", [part for _, part in CONTROLS])
def test_a_copy_without_a_bug_passes(part: str, tmp_path: Path) -> None:
    done = run_tests(UNCHANGED.copy(tmp_path / "copy"), f"tests/crash/test_{part}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=_named)
def test_a_seeded_bug_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    assert mutant.changed_text() != mutant.path.read_text(encoding="utf-8")


def test_every_seeded_bug_is_caught_somewhere_and_at_least_sixteen_are() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 16
    assert all(mutant.caught_by for mutant in MUTANTS)
    assert f"{len(MUTANTS)} bugs are seeded" in page("durability")
