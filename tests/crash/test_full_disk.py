"""A disk that is full, has no inodes or is read-only, and too few descriptors: nothing is lost.

The run stops, before a step's effect where it can, and says what was not saved; looking at it works
all the while, and when there is space it goes on to its end.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.harness.ledger import Ledger

PAGE = os.sysconf("SC_PAGE_SIZE")
DIGITS = 8
"""By how much a journal can be longer than the last one: pids and durations have their digits."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "bench")


def check_stopped(ledger: Ledger, result: Result, codes: tuple[int, ...] = (74,)) -> None:
    """It said so, what it said was not saved is not in the journal, and the runs can be seen."""
    ledger.check_ended_in_order(result)
    assert result.code in codes, result
    data = b"".join(map(Path.read_bytes, ledger.journals()))
    for n in ledger.made:
        assert f'"type":"step.started","name":"step-{n}"'.encode() in data, "executed unannounced"
        if f"the result of step 'step-{n}' was not saved" in result.err:
            assert f'"type":"step.completed","name":"step-{n}"'.encode() not in data
    runs = ledger.project.runs()
    assert len(runs) == len(ledger.journals())
    assert all(ledger.project.inspect(run["id"])["status"] == run["status"] for run in runs)


def go_on(ledger: Ledger, *args: str, steps: int = 3) -> None:
    """There is space: the run goes on to its end, or is made, if there was none."""
    assert ledger.journals() or not ledger.made, "a step was executed without a run"
    words = ("resume", "@last") if ledger.journals() else args
    ledger.check_output(ledger.attempt(*words), steps)


def begin_again(ledger: Ledger) -> None:
    shutil.rmtree(ledger.project.data, ignore_errors=True)
    ledger.project.effects_path.unlink(missing_ok=True)
    ledger.made.clear()
    ledger.acknowledged.clear()


@contextmanager
def small_disk(ledger: Ledger, options: str = "size=1m") -> Iterator[Path]:
    """Nothing was done yet, and the ledger has its data on a new disk; where that is mounted."""
    folder = ledger.project.root.parent / "disk"
    folder.mkdir(exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be mounted here: that takes root")
    ledger.project.data = folder / "data"
    ledger.project.env["DURABLY_DATA_DIR"] = str(ledger.project.data)
    begin_again(ledger)
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(("mount", "-o", f"remount,{options}", str(disk)), check=True)


def test_a_disk_that_is_full_at_any_page_of_a_run(
    ledger: Ledger, count: Callable[[int], None]
) -> None:
    args, pages = ("trigger", "ledger", "-p", "size:=1000"), 0
    while True:
        with small_disk(ledger) as disk:
            filler, free = disk / "filler", os.statvfs(disk).f_bfree
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, PAGE * (free - pages))
            result = ledger.attempt(*args)
            if result.code == 0:
                break
            check_stopped(ledger, result)
            filler.unlink()
            go_on(ledger, *args)
            pages += 1
    assert pages > 1
    count(pages)


@pytest.mark.long
def test_a_disk_without_inodes_at_any_number(ledger: Ledger, count: Callable[[int], None]) -> None:
    args, inodes, code = ("trigger", "ledger", "--idempotency-key", "k"), 2, 74
    while code:
        with small_disk(ledger, f"size=1m,nr_inodes={inodes}") as disk:
            result = ledger.attempt(*args)
            code, inodes = result.code, inodes + 1
            if code:
                check_stopped(ledger, result)
                assert not ledger.made, "it can be known before the first step"
            remount(disk, "nr_inodes=50")
            ledger.check_output(ledger.attempt(*args))
            assert len(ledger.journals()) == 1
    assert inodes > 6
    count(inodes - 3)


def test_a_disk_that_is_read_only_before_a_trigger_and_a_resume(
    ledger: Ledger, count: Callable[[int], None]
) -> None:
    with small_disk(ledger) as disk:
        assert ledger.attempt("trigger", "ledger", "-p", "fails:=1").code == 1
        made = {n: set(tokens) for n, tokens in ledger.made.items()}
        (ledger.project.root / "mended").touch()
        remount(disk, "ro")
        for args in (("trigger", "ledger"), ("resume", "@last")):
            check_stopped(ledger, ledger.attempt(*args))
            assert ledger.made == made, "a step was executed"
        remount(disk, "rw")
        done = ledger.attempt("resume", "@last")
        ledger.check_output(done)
        remount(disk, "ro")
        again = ledger.attempt("resume", "@last")
        assert (again.code, again.out) == (0, done.out), "a read-only disk keeps no output back"
    count(3)


def files_end_at(ledger: Ledger, sizes: Iterable[int]) -> None:
    """No file can grow beyond so many bytes while a run of one step is made: exact to the byte."""
    args = ("trigger", "ledger", "-p", "steps:=1")
    for size in sizes:
        begin_again(ledger)
        limits = (size, resource.RLIM_INFINITY)
        before = partial(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        result = ledger.attempt(*args, before=before)
        if result.code:
            check_stopped(ledger, result)
            left = b"".join(map(Path.read_bytes, ledger.journals()))
            assert left[-1:] in (b"", b"\n"), "what was begun is still there"
        go_on(ledger, *args, steps=1)
        assert result.code or size > ledger.journal().stat().st_size - DIGITS


def length(ledger: Ledger) -> int:
    """How long the journal of one step is."""
    ledger.check_output(ledger.attempt("trigger", "ledger", "-p", "steps:=1"), 1)
    return ledger.journal().stat().st_size


def test_files_that_end_at_some_bytes(ledger: Ledger, count: Callable[[int], None]) -> None:
    files_end_at(ledger, random.sample(range(length(ledger)), 4))
    count(4)


@pytest.mark.campaign
@pytest.mark.parametrize("share", range(8))
def test_files_that_end_at_every_byte(
    share: int, ledger: Ledger, count: Callable[[int], None]
) -> None:
    sizes = range(share, length(ledger) + DIGITS, 8)
    files_end_at(ledger, sizes)
    count(len(sizes))


@pytest.mark.long
def test_too_few_descriptors_from_the_first_up(
    ledger: Ledger, count: Callable[[int], None]
) -> None:
    faults, codes = 0, (74, 77, 78)
    for args in (("trigger", "ledger", "-p", "fails:=1"), ("resume", "@last")):
        number = 5  # with fewer, Python itself cannot read a module
        while True:
            before = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (number, number))
            result = ledger.attempt(*args, before=before)
            if result.code in (0, 1):
                break
            check_stopped(ledger, result, codes)
            number, faults = number + 1, faults + 1
        assert number > 6, result
        (ledger.project.root / "mended").touch()
    ledger.check_output(ledger.attempt("resume", "@last"))
    count(faults)
