"""A disk that is full, has no inodes or is read-only, and too few descriptors: nothing is lost.

The run stops, before a step's effect where it can, and says what was not saved; looking at it works
all the while, and when there is space it goes on to its end.
"""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Result, disk_ends_at
from tests.harness.full_disks import PAGE, small_disk
from tests.harness.ledger import Ledger
from tests.harness.system_calls import journal_of

RECORDS = {
    "run.started": "its run.started event",
    "step.started step-1": "its step.started event",
    "step.completed step-1": "the result of step 'step-1'",
    "run.completed": "its run.completed event",
}
OFFSETS = 128
DIGITS = 8
"""By how much a journal can be longer than the last one: pids and durations have their digits."""

EXECUTED = {"run.started": 0, "step.started step-1": 1, "step.completed step-1": 2}


def start_of(record: str, journal: bytes) -> int:
    """Where this record begins."""
    kind, _, step = record.partition(" ")
    name = f',"name":"{step}"' if step else ""
    return journal.rindex(b"\n", 0, journal.index(f'"type":"{kind}"{name}'.encode())) + 1


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


def begin_anew(ledger: Ledger) -> None:
    shutil.rmtree(ledger.project.data, ignore_errors=True)
    ledger.project.effects_path.unlink(missing_ok=True)
    ledger.made.clear()
    ledger.acknowledged.clear()


def padded(size: int) -> tuple[str, ...]:
    return "trigger", "ledger", "-p", f"pad={'x' * size}"


class PageEnds:
    """A disk that has room for the first page of a journal, and a journal that ends as it likes."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(root)
        self.root = root / "disk"
        self.ledger.check_output(self.ledger.attempt(*padded(1000)))
        self._journal = journal_of(self.ledger).read_bytes()

    def length(self, record: str) -> int:
        """How long the record is."""
        start = start_of(record, self._journal)
        return self._journal.index(b"\n", start) + 1 - start

    def random_offset(self, record: str) -> int:
        """A place that is in the record for sure."""
        return random.randrange(DIGITS, self.length(record) - DIGITS)

    def meet(self, record: str, offset: int, *, look: bool) -> None:
        """The disk ends at this byte of the record."""
        ledger = self.ledger
        begin_anew(ledger)
        args = padded(1000 + PAGE - offset - start_of(record, self._journal))
        with small_disk(self.root) as disk:
            ledger.project.env["DURABLY_DATA_DIR"] = str(disk.data)
            ledger.project.data = disk.data
            disk.leave(pages=2)  # of project.json, and of the journal
            result = ledger.attempt(*args)
            check_stopped(ledger, result)
            assert f"{RECORDS[record]} was not saved" in result.err
            assert len(ledger.made) == EXECUTED.get(record, 3)
            left = journal_of(ledger).stat().st_size - (PAGE - offset)
            assert abs(left) < DIGITS, "what was begun is still there"
            check_stopped(ledger, ledger.attempt("resume", "@last"))
            if look:
                check_can_be_looked_at(ledger)
            disk.make_space()
            go_on(ledger, *args)


def test_a_disk_that_ends_at_some_bytes_of_some_records(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ends = PageEnds(tmp_path / "bench")
    for record in RECORDS:
        ends.meet(record, ends.random_offset(record), look=record == "run.started")
    count(len(RECORDS))


@pytest.mark.campaign
def test_a_disk_that_ends_at_each_of_128_bytes_of_a_result(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ends = PageEnds(tmp_path / "bench")
    assert ends.length("step.completed step-1") > OFFSETS + 2 * DIGITS
    for offset in range(DIGITS, DIGITS + OFFSETS):
        ends.meet("step.completed step-1", offset, look=offset % 16 == 0)
    for record in random.choices(list(RECORDS), k=OFFSETS):
        ends.meet(record, ends.random_offset(record), look=False)
    count(2 * OFFSETS)


ONE_STEP = ("trigger", "ledger", "-p", "steps:=1")


class FileEnds:
    """A journal of one step, of which files end at a byte: RLIMIT_FSIZE is exact to the byte."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(root)
        self.ledger.check_output(self.ledger.attempt(*ONE_STEP), 1)
        self.size = journal_of(self.ledger).stat().st_size

    def meet(self, size: int) -> None:
        """No file can grow beyond so many bytes, in a trigger."""
        begin_anew(self.ledger)
        result = self.ledger.attempt(*ONE_STEP, **disk_ends_at(size))
        if size < self.size - DIGITS or result.code:
            check_stopped(self.ledger, result)
        go_on(self.ledger, *ONE_STEP, steps=1)

    def meet_in_resume(self, size: int) -> None:
        """The same, in a trigger and then again in the resume."""
        begin_anew(self.ledger)
        self.ledger.attempt(*ONE_STEP, **disk_ends_at(size))
        if self.ledger.journals():
            check_stopped(self.ledger, self.ledger.attempt("resume", "@last", **disk_ends_at(size)))
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
    with small_disk(folder, f"size=1m,nr_inodes={inodes}") as disk:
        ledger.project.env["DURABLY_DATA_DIR"] = str(disk.data)
        ledger.project.data = disk.data
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


def descriptors(number: int) -> dict[str, Any]:
    """For `attempt`: the process can have so many descriptors."""
    limits = number, number
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)}


def test_too_few_descriptors_from_the_first_up(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    ledger = Ledger(tmp_path / "bench")
    faults = 0
    for args in (("trigger", "ledger", "-p", "fails:=1"), ("resume", "@last")):
        number = 5  # with fewer, Python itself cannot read a module
        while (result := ledger.attempt(*args, **descriptors(number))).code in (74, 77, 78):
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
    with small_disk(tmp_path / "disk") as disk:
        ledger.project.env["DURABLY_DATA_DIR"] = str(disk.data)
        ledger.project.data = disk.data
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
