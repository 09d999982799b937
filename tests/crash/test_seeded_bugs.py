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

CONTROLS = list(
    {
        part.partition("::")[0]: (bug, part)
        for bug, part in sorted(PAIRS, key=lambda pair: pair[1] == pair[0].caught_by[0])
    }.values()
)
"""For each file of tests, one seeded bug that it catches, by a quick test if one has it."""

SAMPLE = CONTROLS[::4]
"""What CI tries of them, for each takes a pytest of its own; the campaign tries all."""

CHANCES = 5
"""So often a part is run until it fails: where it draws at random, one draw may miss the bug."""


@pytest.mark.long
@pytest.mark.timeout(1800)  # pytest in pytest: the inner one has the limit of all tests
@pytest.mark.parametrize(
    ("bug", "part"),
    [
        pytest.param(*pair, marks=[] if pair in SAMPLE else pytest.mark.campaign, id=pair[1])
        for pair in PAIRS
    ],
)
def test_a_seeded_bug_is_caught(
    bug: SeededBug, part: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    """An assertion fails in this part of the campaign; not its set-up, and not its imports."""
    for _ in range(CHANCES):
        done = run_tests(bug, tmp_path, part)
        if " skipped" in done.stdout.splitlines()[-1]:
            pytest.skip(f"{part} cannot be run here")
        if done.returncode != 0:
            break
    assert done.returncode == 1, f"{bug.name} was not caught by {part}:\n{done.stdout}"
    assert "1 failed" in done.stdout, done.stdout
    assert "from pytest-timeout" not in done.stdout, done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize("part", [part for _, part in CONTROLS])
def test_a_part_passes_when_nothing_is_changed(part: str, tmp_path: Path) -> None:
    done = run_tests(UNCHANGED, tmp_path, part)
    assert done.returncode == 0, done.stdout


def test_every_seeded_bug_has_its_place_and_is_caught_somewhere() -> None:
    assert len({bug.name for bug in SEEDED_BUGS}) == len(SEEDED_BUGS)
    for bug in SEEDED_BUGS:
        compile(bug.source(), bug.file, "exec")
        assert bug.caught_by
    with pytest.raises(LookupError):
        UNCHANGED._replace(right="nothing of this kind").source()
    assert f"{len(SEEDED_BUGS)} bugs are seeded" in page("durability")


def test_every_part_that_is_to_catch_a_seeded_bug_is_there(tmp_path: Path) -> None:
    parts = sorted({part for _, part in PAIRS})
    found = run_tests(UNCHANGED, tmp_path, "--collect-only", *parts)
    assert found.returncode == 0, found.stdout
