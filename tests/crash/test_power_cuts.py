"""Power cuts: a disk loses what was not flushed, and no promise that was made before is broken."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.harness.disks import (
    FILE_SYSTEMS,
    Disk,
    FileSystem,
    fast_folder,
    mounted,
    skip_without_disks,
)
from tests.harness.promises import Promises
from tests.harness.write_log import Image, PowerCuts, read_log

RESUMED_EVERY = 25
"""Of so many disks that a power cut left, the real commands go on with one."""

LARGE_RESULT = ("-p", "large:=1")


def work(promises: Promises) -> None:
    """What people do in a day, on a new file system."""
    keep, mended = promises.keep, promises.mended
    keep("trigger", "power", "-p", "steps:=4", key="first")
    keep("trigger", "power", "-p", "fails:=2", code=1)
    mended.touch()
    keep("resume", "@failed")
    keep("trigger", "power", *LARGE_RESULT, key="large")
    mended.unlink()
    keep("trigger", "power", "-p", "dies:=2", "-p", "large:=1", code=-9, key="killed")
    keep("trigger", "power", "-p", "dies:=1", code=-9)
    mended.touch()
    keep("resume", "@last")
    keep("trigger", "power", "-p", "dies:=2", "-p", "large:=1", key="killed")
    keep("trigger", "power", "-p", "steps:=1", key="deleted")
    promises.delete("deleted")


def cut_the_power(tmp_path: Path, file_system: FileSystem, wanted: int, seed: int) -> int:
    """Do the work once, then look at so many disks that a power cut would have left."""
    skip_without_disks(file_system)
    with fast_folder() as folder:
        disk = Disk(folder, file_system)
        promises = Promises(tmp_path / "ledger", disk.log)
        base = Image.read(disk.image)
        with disk.mounted() as mount:
            promises.project.env["DURABLY_DATA_DIR"] = str(mount / "data")
            work(promises)
        records, image, cuts = read_log(disk.log), folder / "cut", 0
        chance = random.Random(seed)
        possible = PowerCuts(base, records, file_system.superblock, file_system.sector, chance)
        for cut in possible.some(wanted, [end.end for end in (*promises.ends, *promises.deleted)]):
            cut.image.save(image)
            cuts += 1
            with mounted(image, folder / "after", file_system) as mount:
                try:
                    promises.check_kept(mount / "data", cut.log_size)
                    if cuts % RESUMED_EVERY == 0:
                        go_on(promises, mount / "data", cut.log_size)
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}, {cut.what}: {error}") from error
    return cuts


def go_on(promises: Promises, data: Path, log_size: int) -> None:
    """Take up every run, and trigger with every key again; the ledger sees what is executed."""
    with promises.after_power_cut(data, log_size):
        for run in promises.project.runs():
            result = promises.attempt("resume", run["id"])
            if result.code != 4 or "is deleted: its removal was cut short" not in result.err:
                check_output(promises, run["id"], result)
        for key, args in (("first", ("-p", "steps:=4")), ("large", LARGE_RESULT)):
            once = promises.attempt("trigger", "power", *args, "--idempotency-key", key)
            again = promises.attempt("trigger", "power", *args, "--idempotency-key", key)
            assert (once.code, once.out) == (0, again.out), (once, again)
            check_output(promises, json.loads(once.out)["run"], once)
        runs = promises.project.runs()
        assert {run["status"] for run in runs} == {"completed"}, runs
        promises.project.run("verify")


def check_output(promises: Promises, run: str, result: Result) -> None:
    """The run was completed, with the results that were acknowledged."""
    assert result.code == 0, result
    output = json.loads(result.out)
    assert output["run"] == run
    for n, token in enumerate(output["tokens"]):
        assert promises.acknowledged.get(f"{run}/{n}", token) == token


def test_every_promise_outlives_a_power_cut(tmp_path: Path, count: Callable[[int], None]) -> None:
    harsh = FILE_SYSTEMS["ext4 that renames unsynced files"]
    count(cut_the_power(tmp_path, harsh, 30, seed=time.time_ns()))


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ext4", 1000),
        ("ext4 that renames unsynced files", 200),
        ("xfs", 100),
        ("btrfs", 100),
    ],
)
def test_every_promise_outlives_many_power_cuts(
    name: str, wanted: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(cut_the_power(tmp_path, FILE_SYSTEMS[name], wanted, seed=time.time_ns()))
