"""A disk that fails or is full while many steps are in flight, and commit together."""

from __future__ import annotations

import random
import re
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Result
from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, skip_without_disks
from tests.harness.side_by_side import FORMS, SHAPES, Items, SideBySide

AT_ONCE = {"threads": 16, "tasks": 64}
MANY = {form: 3 * at_once for form, at_once in AT_ONCE.items()}
PADDING = "5000"
"""So that no two results share a page of memory."""

LOST = re.compile(r"(was not|may or may not have been) saved|is no longer open in this process")


def bench_of(root: Path, form: str, shape: str) -> SideBySide:
    bench = SideBySide(root, form, shape, AT_ONCE[form])
    bench.ask_for(Items.of(MANY[form], "a"))
    bench.project.env["PADDING"] = PADDING
    return bench


def check_stopped(result: Result) -> None:
    """Nothing is said to be well, and what was not saved is said."""
    assert result.code == 74, result
    assert LOST.search(result.err), result
    assert "a bug in durably" not in result.err, result


class Case(NamedTuple):
    """How a disk fails, which file system is on it, and what is executed there."""

    how: str
    file_system: str
    form: str
    shape: str


def fail_under(case: Case, root: Path) -> None:
    """The disk begins to fail in the middle of a first attempt; then the run goes on."""
    file_system = FILE_SYSTEMS[case.file_system]
    skip_without_disks(file_system)
    bench = bench_of(root, case.form, case.shape)
    names = sorted(bench.items.names(case.shape))
    bench.project.env |= {"FAILS": case.how, "FAILS_AT": random.choice(names)}
    with fast_folder() as folder:
        disk = Disk(folder, file_system)
        bench.project.env["FAULT"] = str(disk.fault)
        with disk.mounted() as mount:
            bench.project.env["DURABLY_DATA_DIR"] = str(mount / "data")
            result = bench.attempt(*bench.begin())
        if result.code or (case.how, case.file_system) != ("once", "btrfs"):
            check_stopped(result)
            behind = len(bench.behind_the_fault())
            assert behind <= bench.at_once, f"{behind} functions were called behind it: {result}"
        # else the write that failed was of something that btrfs writes twice
        disk.fault.unlink(missing_ok=True)
        (bench.project.root / "mended").touch()
        with disk.mounted():  # what was not on the disk is gone
            bench.check_output(bench.attempt(*bench.begin()))
            assert len(bench.project.runs()) == 1
            bench.project.run("verify")


@pytest.mark.parametrize("form", FORMS)
def test_a_map_whose_disk_fails_stops_and_loses_nothing(
    form: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    fail_under(Case(random.choice(("once", "on")), "ext4", form, "map"), tmp_path)
    count(1)


EACH = [
    (form, file_system, shape)
    for form in FORMS
    for file_system in ("ext4", "xfs", "btrfs")
    for shape in SHAPES
]


@pytest.mark.parametrize(
    ("form", "file_system", "shape", "rounds"),
    [
        *(pytest.param(*each, 1, marks=pytest.mark.long) for each in EACH[::4]),
        *(pytest.param(*each, 6, marks=pytest.mark.campaign) for each in EACH),
    ],
)
def test_steps_side_by_side_whose_disk_fails_in_each_way(
    form: str,
    file_system: str,
    shape: str,
    rounds: int,
    tmp_path: Path,
    count: Callable[[int], None],
) -> None:
    ways = random.sample(("once", "on"), 2)
    for number in range(rounds):
        fail_under(Case(ways[number % 2], file_system, form, shape), tmp_path / f"{number}")
    count(rounds)


@pytest.mark.long
@pytest.mark.parametrize("sizes", [2, pytest.param(30, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_files_that_end_at_a_byte_in_the_middle_of_a_group_commit(
    form: str, shape: str, sizes: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    """Exact to the byte: the write before may have been whole, and its sync is on its way."""
    bench = bench_of(tmp_path, form, shape)
    bench.check_output(bench.attempt(*bench.begin("whole")))
    whole = max(path.stat().st_size for path in bench.project.data.rglob("*.jsonl"))
    for number in range(sizes):
        bench.begin_again()
        limits = random.randrange(3000, whole * 9 // 10), resource.RLIM_INFINITY
        before = partial(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        check_stopped(bench.attempt(*bench.begin(f"{number}"), before=before))
        bench.check_output(bench.attempt(*bench.begin(f"{number}")))
    bench.project.run("verify")
    count(sizes)
