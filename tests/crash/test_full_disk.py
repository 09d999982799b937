"""A disk that is full, has no inodes or is read-only, and too few descriptors: nothing is lost.

The run stops, before a step's effect where it can, and says what was not saved; looking at it works
all the while, and when there is space it goes on to its end.
"""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.harness.full_disks import SmallDisk, small_disk
from tests.harness.ledger import Ledger

DIGITS = 8
"""By how much a journal can be longer than the last one: pids and durations have their digits."""


def check_stopped(ledger: Ledger, result: Result, codes: tuple[int, ...] = (74,)) -> None:
    """It said so, and what it said was not saved is not in the journal."""
    ledger.check_ended_in_order(result)
    assert result.code in codes, result
    data = b"".join(map(Path.read_bytes, ledger.journals()))
    for n in ledger.made:
        assert f'"type":"step.started","name":"step-{n}"'.encode() in data, "executed unannounced"
        if f"the result of step 'step-{n}' was not saved" in result.err:
            assert f'"type":"step.completed","name":"step-{n}"'.encode() not in data


def check_can_be_looked_at(ledger: Ledger) -> None:
    """`list` and `inspect` work, whatever the disk is like."""
    runs = ledger.project.runs()
    assert len(runs) == len(ledger.journals())
    for run in runs:
        assert ledger.project.inspect(run["id"])["status"] == run["status"]


def go_on(ledger: Ledger, *args: str, steps: int = 3) -> None:
    """There is space: the run goes on to its end, or is made, if there was none."""
    if ledger.journals():
        ledger.check_output(ledger.attempt("resume", "@last"), steps)
    else:
        assert not ledger.made, "a step was executed without a run"
        ledger.check_output(ledger.attempt(*args), steps)


@contextmanager
def on_a_small_disk(ledger: Ledger, folder: Path, options: str = "size=1m") -> Iterator[SmallDisk]:
    """The ledger, with its data on a disk of its own."""
    with small_disk(folder, options) as disk:
        ledger.project.env["DURABLY_DATA_DIR"] = str(disk.data)
        ledger.project.data = disk.data
        yield disk


def begin_anew(ledger: Ledger) -> None:
    shutil.rmtree(ledger.project.data, ignore_errors=True)
    ledger.project.effects_path.unlink(missing_ok=True)
    ledger.made.clear()
    ledger.acknowledged.clear()


def test_a_disk_that_is_full_at_any_page_of_a_run(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    args, pages = ("trigger", "ledger", "-p", "size:=1000"), 0
    while True:
        begin_anew(ledger)
        with on_a_small_disk(ledger, tmp_path / "disk") as disk:
            disk.leave(pages)
            result = ledger.attempt(*args)
            if result.code == 0:
                break
            check_stopped(ledger, result)
            check_can_be_looked_at(ledger)
            disk.make_space()
            go_on(ledger, *args)
            pages += 1
    assert pages > 1
    count(pages)


def files_end_at(size: int) -> Callable[[], object]:
    """For `attempt`: no file of the process can grow beyond so many bytes."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


ONE_STEP = ("trigger", "ledger", "-p", "steps:=1")


class FileEnds:
    """A journal of one step, of which files end at a byte: RLIMIT_FSIZE is exact to the byte."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(root)
        self.ledger.check_output(self.ledger.attempt(*ONE_STEP), 1)
        self.size = self.ledger.journal().stat().st_size

    def meet(self, size: int) -> None:
        """No file can grow beyond so many bytes, in a trigger."""
        begin_anew(self.ledger)
        result = self.ledger.attempt(*ONE_STEP, before=files_end_at(size))
        if size < self.size - DIGITS or result.code:
            check_stopped(self.ledger, result)
            left = b"".join(map(Path.read_bytes, self.ledger.journals()))
            assert left[-1:] in (b"", b"\n"), "what was begun is still there"
        go_on(self.ledger, *ONE_STEP, steps=1)

    def meet_in_resume(self, size: int) -> None:
        """The same, in a trigger and then again in the resume."""
        begin_anew(self.ledger)
        self.ledger.attempt(*ONE_STEP, before=files_end_at(size))
        if self.ledger.journals():
            check_stopped(
                self.ledger, self.ledger.attempt("resume", "@last", before=files_end_at(size))
            )
            check_can_be_looked_at(self.ledger)
        go_on(self.ledger, *ONE_STEP, steps=1)


def test_files_that_end_at_some_bytes(tmp_path: Path, count: Callable[[int], None]) -> None:
    ends = FileEnds(tmp_path / "bench")
    for size in random.sample(range(ends.size), 4):
        ends.meet(size)
    ends.meet_in_resume(random.randrange(ends.size // 2, ends.size - DIGITS))
    count(5)


@pytest.mark.campaign
@pytest.mark.parametrize("share", range(8))
def test_files_that_end_at_every_byte(
    share: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    ends = FileEnds(tmp_path / "bench")
    last = ends.size + DIGITS
    sizes = range(share, last + 1, 8)
    for size in sizes:
        ends.meet(size)
    resumed = range(8 * share, last - 2 * DIGITS, 64)
    for size in resumed:
        ends.meet_in_resume(size)
    count(len(sizes) + len(resumed))


def without_inodes(ledger: Ledger, folder: Path, inodes: int) -> bool:
    """The disk has room for so many names; was that enough?"""
    args = ("trigger", "ledger", "--idempotency-key", "k")
    begin_anew(ledger)
    with on_a_small_disk(ledger, folder, f"size=1m,nr_inodes={inodes}") as disk:
        result = ledger.attempt(*args)
        if result.code:
            check_stopped(ledger, result)
            assert not ledger.made, "it can be known before the first step"
            check_can_be_looked_at(ledger)
        disk.remount("nr_inodes=50")
        ledger.check_output(ledger.attempt(*args))
        assert len(ledger.journals()) == 1
    return result.code == 0


def test_a_disk_without_inodes_at_some_numbers(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    numbers = random.sample(range(2, 10), 3)
    for inodes in numbers:
        without_inodes(ledger, tmp_path / "disk", inodes)
    count(len(numbers))


@pytest.mark.campaign
def test_a_disk_without_inodes_at_every_number(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    inodes = 2
    while not without_inodes(ledger, tmp_path / "disk", inodes):
        inodes += 1
    assert inodes > 5
    count(inodes - 2)


def descriptors(number: int) -> Callable[[], object]:
    """For `attempt`: the process can have so many descriptors."""
    return partial(resource.setrlimit, resource.RLIMIT_NOFILE, (number, number))


def test_too_few_descriptors_from_the_first_up(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    faults = 0
    for args in (("trigger", "ledger", "-p", "fails:=1"), ("resume", "@last")):
        number = 5  # with fewer, Python itself cannot read a module
        while (result := ledger.attempt(*args, before=descriptors(number))).code in (74, 77, 78):
            check_stopped(ledger, result, (74, 77, 78))
            number, faults = number + 1, faults + 1
        assert number > 6, result
        assert result.code in (0, 1), result
        (ledger.project.root / "mended").touch()
    ledger.check_output(ledger.attempt("resume", "@last"))
    count(faults)


def test_a_disk_that_is_read_only_before_a_trigger_and_a_resume(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    with on_a_small_disk(ledger, tmp_path / "disk") as disk:
        assert ledger.attempt("trigger", "ledger", "-p", "fails:=1").code == 1
        made = {n: set(tokens) for n, tokens in ledger.made.items()}
        (ledger.project.root / "mended").touch()

        disk.remount("ro")
        for args in (("trigger", "ledger"), ("resume", "@last")):
            check_stopped(ledger, ledger.attempt(*args))
            assert ledger.made == made, "a step was executed"
        check_can_be_looked_at(ledger)

        disk.remount("rw")
        done = ledger.attempt("resume", "@last")
        ledger.check_output(done)
        disk.remount("ro")
        again = ledger.attempt("resume", "@last")
        assert (again.code, again.out) == (0, done.out), "a read-only disk keeps no output back"
        disk.remount("rw")
    count(3)
