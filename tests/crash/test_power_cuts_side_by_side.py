"""Power cuts under steps side by side: what was acknowledged by then is there, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, mounted, skip_without_disks
from tests.harness.promised_side_by_side import Promised
from tests.harness.side_by_side import FORMS, SHAPES
from tests.harness.write_log import PowerCuts, copy

RESUMED_EVERY = 10
"""Of so many disks that a power cut left, the real command goes on with one."""


def cut_the_power(root: Path, name: str, shapes: tuple[str, ...], wanted: int) -> int:
    """Do the work in each form once, then look at disks that a power cut would have left."""
    file_system, cuts = FILE_SYSTEMS[name], 0
    skip_without_disks(file_system)
    for form in FORMS:
        for shape in shapes:
            promised = Promised(root / f"{form} {shape}", form, shape)
            cuts += _cut_the_power(promised, name, wanted)
    return cuts


def _cut_the_power(promised: Promised, name: str, wanted: int) -> int:
    file_system, seed, cuts = FILE_SYSTEMS[name], time.time_ns(), 0
    with fast_folder() as folder:
        disk, base, left = Disk(folder, file_system), folder / "base", folder / "left"
        copy(disk.image, base)
        with disk.mounted() as mount:
            promised.keep(mount, disk.log)
        possible = PowerCuts(base, disk.log, file_system, seed)
        for cuts, cut in enumerate(possible.some(wanted, promised.sizes, left), 1):
            with mounted(left, folder / "after", file_system) as mount:
                try:
                    promised.check(mount, cut.log_size)
                    if cuts % RESUMED_EVERY == 0:
                        promised.go_on(mount, cut.log_size)
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}, {cut.what}: {error}") from error
    return cuts


@pytest.mark.long
def test_every_item_that_was_acknowledged_outlives_a_power_cut(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(cut_the_power(tmp_path, "ext4 that renames unsynced files", ("map",), 20))


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "wanted"),
    {"ext4": 100, "ext4 that renames unsynced files": 50, "xfs": 20, "btrfs": 20}.items(),
)
def test_every_step_side_by_side_outlives_many_power_cuts(
    name: str, wanted: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(cut_the_power(tmp_path, name, SHAPES, wanted))
