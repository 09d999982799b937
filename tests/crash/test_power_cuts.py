"""Power cuts: a disk loses what was not flushed, and no promise that was made before is broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, mounted, skip_without_disks
from tests.harness.promises import Promises
from tests.harness.write_log import PowerCuts, copy

RESUMED_EVERY = 25
"""Of so many disks that a power cut left, the real commands go on with one."""


def work(promises: Promises) -> None:
    """What people do in a day, on a new file system."""
    keep, mended = promises.keep, promises.mended
    large = ("-p", "dies:=2", "-p", "large:=1")
    keep("trigger", "power", "-p", "steps:=4", key="first")
    keep("trigger", "power", "-p", "fails:=2", code=1)
    mended.touch()
    keep("resume", "@failed")
    mended.unlink()
    keep("trigger", "power", *large, code=-9, key="killed")
    keep("trigger", "vouching", code=-9)
    keep("trigger", "power", "-p", "dies:=1", code=-9)
    mended.touch()
    keep("resume", "@last")
    keep("trigger", "power", *large, key="killed")
    keep("trigger", "power", "-p", "steps:=1", key="deleted")
    promises.delete("deleted")


def cut_the_power(tmp_path: Path, name: str, wanted: int) -> int:
    """Do the work once, then look at so many disks that a power cut would have left."""
    file_system, seed, cuts = FILE_SYSTEMS[name], time.time_ns(), 0
    skip_without_disks(file_system)
    with fast_folder() as folder:
        disk, base, left = Disk(folder, file_system), folder / "base", folder / "left"
        promises = Promises(tmp_path, disk.log)
        copy(disk.image, base)
        with disk.mounted() as mount:
            promises.stand_on(mount)
            work(promises)
        ends = [end.end for end in (*promises.ends, *promises.deleted)]
        possible = PowerCuts(base, disk.log, file_system, seed)
        for cuts, cut in enumerate(possible.some(wanted, ends, left), 1):
            with mounted(left, folder / "after", file_system) as mount:
                try:
                    promises.check(mount / "data", cut.log_size)
                    if cuts % RESUMED_EVERY == 0:
                        promises.go_on(mount, cut.log_size)
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}, {cut.what}: {error}") from error
    return cuts


def test_every_promise_outlives_a_power_cut(tmp_path: Path, count: Callable[[int], None]) -> None:
    count(cut_the_power(tmp_path, "ext4 that renames unsynced files", 30))


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "wanted"),
    {"ext4": 1000, "ext4 that renames unsynced files": 200, "xfs": 100, "btrfs": 100}.items(),
)
def test_every_promise_outlives_many_power_cuts(
    name: str, wanted: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(cut_the_power(tmp_path, name, wanted))
