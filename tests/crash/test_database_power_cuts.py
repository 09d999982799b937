"""Power cuts between a user's database and the journal: what a transaction did is there once."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durably import Step

from tests.harness.banks import Banks
from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, mounted, skip_without_disks
from tests.harness.quick import sizes
from tests.harness.write_log import PowerCuts, copy

Count = Callable[[int], None]


def cut_the_power(tmp_path: Path, name: str, wanted: int, *, is_beside: bool) -> int:
    """Pay once, then go on from so many disks that a power cut would have left."""
    file_system, seed = FILE_SYSTEMS[name], time.time_ns()
    skip_without_disks(file_system)
    with fast_folder() as folder:
        disk, base, left = Disk(folder, file_system), folder / "base", folder / "left"
        banks = Banks(tmp_path, disk.log, is_beside=is_beside)
        copy(disk.image, base)
        with disk.mounted() as mount:
            banks.work(mount)
        sizes_then = sorted({size for size, _ in banks.acknowledged})
        moments = random.sample(sizes_then, min(len(sizes_then), wanted // 3))
        possible = PowerCuts(base, disk.log, file_system, seed)
        for cut in possible.some(wanted, moments, left):
            with mounted(left, folder / "after", file_system) as mount:
                try:
                    banks.check(mount, cut.log_size)
                except (AssertionError, sqlite3.Error) as error:
                    raise AssertionError(f"seed {seed}, {cut.what}: {error}") from error
    return wanted


@pytest.mark.parametrize("wanted", sizes(6, 500))
def test_each_payment_outlives_a_power_cut_once(wanted: int, tmp_path: Path, count: Count) -> None:
    """The journal is on another disk, which loses nothing."""
    count(cut_the_power(tmp_path, "ext4", wanted, is_beside=False))


@pytest.mark.long
def test_so_it_does_with_the_journal_beside_it(tmp_path: Path, count: Count) -> None:
    count(cut_the_power(tmp_path, "ext4", 12, is_beside=True))


@pytest.mark.campaign
@pytest.mark.parametrize("is_beside", [True, False], ids=["beside", "elsewhere"])
@pytest.mark.parametrize(
    ("name", "wanted"), {"ext4 that renames unsynced files": 200, "xfs": 100, "btrfs": 100}.items()
)
def test_so_it_does_on_other_file_systems(
    name: str, wanted: int, is_beside: bool, tmp_path: Path, count: Count
) -> None:
    count(cut_the_power(tmp_path, name, wanted, is_beside=is_beside))


def test_what_is_in_the_wal_of_a_file_that_nobody_has_synced_outlives_a_power_cut(
    count: Count,
) -> None:
    file_system = FILE_SYSTEMS["ext4"]
    skip_without_disks(file_system)

    def careless() -> sqlite3.Connection:
        connection = sqlite3.connect(mount / "bank.db")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=WAL")  # which makes the file
        return connection

    def pay(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE paid (name TEXT)")

    with fast_folder() as folder:
        disk, base, left = Disk(folder, file_system), folder / "base", folder / "left"
        copy(disk.image, base)
        with disk.mounted() as mount, closing(careless()) as other:
            other.execute("SELECT * FROM sqlite_master").fetchall()  # so that the WAL stays
            Step().transaction("pay", careless, pay)
            size = disk.log.stat().st_size
        (_,) = PowerCuts(base, disk.log, file_system, 0).some(1, [size], left)
        with (
            mounted(left, folder / "after", file_system) as mount,
            closing(sqlite3.connect(mount / "bank.db")) as connection,
        ):
            assert connection.execute("SELECT COUNT(*) FROM paid").fetchone() == (0,)
    count(1)
