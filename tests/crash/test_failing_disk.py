"""A disk that fails: the run stops at once and says what was not saved; what was saved stays."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Result
from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, skip_without_disks
from tests.harness.ledger import Ledger

STEPS = 4
UNSAVED = "(was not|may or may not have been) saved"
KEYED = ("--idempotency-key", "k")
DISKS = ("BROKEN", "FAULT")
"""One that fails for good, and one of which a single write fails: a second sync would succeed."""

WRITES = {"ext4": 35, "xfs": 24, "btrfs": 70}
"""About as many does a disk see of one command."""

JOB = """
    import uuid

    @define_job
    def failing(step: Step, payload: dict) -> list[str]:
        tokens = []
        moment("before the first step", payload)
        for n in range(4):
            tokens.append(step.run(f"step-{n}", once, n, payload)[:32])
            with open(os.environ["ACKS"], "a") as file:
                file.write(f"{n} {tokens[-1]}\\n")
            moment(f"after step {n}", payload)
        return tokens

    def once(n: int, payload: dict) -> str:
        token = uuid.uuid4().hex
        effect(f"{n} {token}")
        moment(f"in step {n}", payload)
        return token + "." * 5000  # so that no two results share a page of memory

    def moment(name: str, payload: dict) -> None:
        if payload.get("fails") == name and not os.path.exists("mended"):
            with open(os.environ[payload["disk"]], "w") as file:
                file.write("0 once")
"""


class Moment(NamedTuple):
    """When the disk begins to fail, how many steps are acknowledged, and what is not saved."""

    name: str
    acknowledged: int
    lost: str


MOMENTS = (
    Moment("before the first step", 0, "the result of step 'step-0'"),
    *(Moment(f"in step {n}", n, f"the result of step 'step-{n}'") for n in range(STEPS)),
    *(
        Moment(f"after step {n}", n + 1, f"the result of step 'step-{n + 1}'")
        for n in range(STEPS - 1)
    ),
    Moment(f"after step {STEPS - 1}", STEPS, "its run.completed event"),
)


class Bench:
    """A disk, and a ledger whose data are on it."""

    def __init__(self, folder: Path, root: Path, file_system: str) -> None:
        skip_without_disks(FILE_SYSTEMS[file_system])
        self.disk = Disk(folder, FILE_SYSTEMS[file_system])
        self.ledger = Ledger(root)
        self.ledger.project.job(JOB, "failing")
        self.ledger.project.env |= {
            "BROKEN": str(self.disk.broken),
            "FAULT": str(self.disk.fault),
        }

    @contextmanager
    def mounted(self) -> Iterator[Ledger]:
        """The ledger, with its disk mounted."""
        with self.disk.mounted() as mount:
            self.ledger.project.env["DURABLY_DATA_DIR"] = str(mount / "data")
            yield self.ledger

    def goes_on(self, *command: str) -> None:
        """From what is on the disk, the run comes to its end."""
        self.disk.broken.unlink(missing_ok=True)
        self.disk.fault.unlink(missing_ok=True)
        (self.ledger.project.root / "mended").touch()
        with self.mounted() as ledger:
            ledger.check_output(ledger.attempt(*command), STEPS)
            assert len(ledger.project.runs()) == 1


MakeBench = Callable[[str], Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MakeBench]:
    """Make a bench on a file system."""
    with fast_folder() as folder:
        made = 0

        def make(file_system: str) -> Bench:
            nonlocal made
            made += 1
            place = folder / str(made)
            place.mkdir()
            return Bench(place, tmp_path / f"bench-{made}", file_system)

        yield make


def check_stopped(ledger: Ledger, result: Result, moment: Moment) -> None:
    """It ended with 74, named what was lost, and executed nothing after that."""
    ledger.check_ended_in_order(result)
    assert result.code == 74, result
    assert re.search(f"{re.escape(moment.lost)} {UNSAVED}", result.err), result
    assert sorted(ledger.acknowledged) == [str(n) for n in range(moment.acknowledged)], result
    executed = moment.acknowledged + (moment.acknowledged < STEPS)
    assert len(ledger.project.effects) == executed, f"it went on: {result}"


def fail_at(bench: Bench, moment: Moment, disk: str) -> None:
    """The disk begins to fail at this moment of a first attempt; then the run goes on."""
    args = ("trigger", "failing", "-p", f"fails={moment.name}", "-p", f"disk={disk}", *KEYED)
    with bench.mounted() as ledger:
        check_stopped(ledger, ledger.attempt(*args), moment)
    bench.goes_on(*args)


def fail_at_write(bench: Bench, command: str, number: int, how: str) -> None:
    """So many writes after the command began, one fails or all do; then the run goes on."""
    trigger = ("trigger", "failing", "-p", "fails=in step 2", "-p", "disk=BROKEN", *KEYED)
    args = trigger if command == "trigger" else ("resume", "key:failing/k")
    mended = bench.ledger.project.root / "mended"
    if command == "resume":
        with bench.mounted() as ledger:
            assert ledger.attempt(*trigger).code == 74
        bench.disk.broken.unlink()
    mended.touch()
    with bench.mounted() as ledger:
        bench.disk.fault.write_text(f"{number} {how}")
        before = len(ledger.project.effects)
        result = ledger.attempt(*args)
        ledger.check_ended_in_order(result)
        assert result.code in (0, 74), result
        if result.code and len(ledger.project.effects) > before:
            assert re.search(UNSAVED, result.err), result
    bench.goes_on(*trigger)


def fail_at_moments(bench: MakeBench, file_system: str, disk: str, ticks: Sequence[Moment]) -> int:
    """The disk fails at each of these moments of a run of its own."""
    for moment in ticks:
        fail_at(bench(file_system), moment, disk)
    return len(ticks)


def fail_at_writes(bench: MakeBench, file_system: str, command: str, wanted: int) -> int:
    """One fault and a lasting one at each of so many of a command's first writes."""
    for number in random.sample(range(WRITES[file_system]), wanted):
        for how in ("once", "on"):
            try:
                fail_at_write(bench(file_system), command, number, how)
            except AssertionError as error:
                raise AssertionError(f"write {number}, {how}: {error}") from error
    return 2 * wanted


@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
@pytest.mark.parametrize("disk", DISKS)
def test_a_run_whose_disk_fails_stops_and_loses_nothing(
    file_system: str, disk: str, bench: MakeBench, count: Callable[[int], None]
) -> None:
    count(fail_at_moments(bench, file_system, disk, random.sample(MOMENTS, 2)))


@pytest.mark.campaign
@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
@pytest.mark.parametrize("disk", DISKS)
def test_a_run_whose_disk_fails_at_each_moment_stops_and_loses_nothing(
    file_system: str, disk: str, bench: MakeBench, count: Callable[[int], None]
) -> None:
    count(fail_at_moments(bench, file_system, disk, MOMENTS))


@pytest.mark.parametrize("command", ["trigger", "resume"])
def test_a_disk_that_fails_at_some_write_loses_nothing(
    command: str, bench: MakeBench, count: Callable[[int], None]
) -> None:
    count(fail_at_writes(bench, "ext4", command, 1))


@pytest.mark.campaign
@pytest.mark.parametrize("command", ["trigger", "resume"])
@pytest.mark.parametrize("file_system", ["ext4", "xfs", "btrfs"])
def test_a_disk_that_fails_at_many_writes_loses_nothing(
    file_system: str, command: str, bench: MakeBench, count: Callable[[int], None]
) -> None:
    count(fail_at_writes(bench, file_system, command, 20))
