"""A disk that fails: the run stops at once and says what was not saved; what was saved stays.

A fault at any of the calls that lead there is put in by test_system_calls; here it is the disk.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.disks import FILE_SYSTEMS, Disk, fast_folder, skip_without_disks
from tests.harness.ledger import Ledger

STEPS = 4

JOB = """
    import threading, uuid

    from durably_cli import Retry

    @define_job
    def failing(step: Step, payload: dict) -> list[str]:
        tokens = []
        moment("before the first step", payload)
        for n in range(4):
            tokens.append(step.run(f"step-{n}", once, n, payload, tries=PAUSE)[:32])
            with open(os.environ["ACKS"], "a") as file:
                file.write(f"{n} {tokens[-1]}\\n")
            moment(f"after step {n}", payload)
        return tokens

    PAUSE = Retry(2, delay=1.5, jitter=False)

    def once(n: int, payload: dict) -> str:
        moment(f"in a pause of step {n}", payload, but_once=True)
        token = uuid.uuid4().hex
        effect(f"{n} {token}")
        moment(f"in step {n}", payload)
        return token + "." * 5000  # so that no two results share a page of memory

    def moment(name: str, payload: dict, *, but_once: bool = False) -> None:
        if payload["fails"] == name and not os.path.exists("mended"):
            if not but_once:
                fail(payload["how"])
            elif not paused:  # the disk fails while the pause lasts
                paused.append(name)
                threading.Timer(0.5, fail, (payload["how"],)).start()
                raise ConnectionError("busy")

    paused = []

    def fail(how: str) -> None:
        with open(os.environ["FAULT"], "w") as file:
            file.write(how)
"""


class Moment(NamedTuple):
    """When the disk begins to fail, how many steps are acknowledged, and what is not saved."""

    name: str
    acknowledged: int
    lost: str


MOMENTS = [
    Moment("before the first step", 0, "the result of step 'step-0'"),
    *(Moment(f"in step {n}", n, f"the result of step 'step-{n}'") for n in range(STEPS)),
    *(Moment(f"after step {n - 1}", n, f"the result of step 'step-{n}'") for n in range(1, STEPS)),
    Moment(f"after step {STEPS - 1}", STEPS, "the run's output"),
]
IN_A_PAUSE = Moment("in a pause of step 1", 1, "the result of step 'step-1'")


def fail_at(moment: Moment, how: str, file_system: str, root: Path) -> None:
    """The disk begins to fail at this moment of a first attempt; then the run goes on."""
    skip_without_disks(FILE_SYSTEMS[file_system])
    args = ("trigger", "failing", "-p", f"fails={moment.name}", "-p", f"how={how}")
    args = (*args, "--idempotency-key", "k")
    ledger = Ledger(root)
    ledger.project.job(JOB, "failing")
    with fast_folder() as folder:
        disk = Disk(folder, FILE_SYSTEMS[file_system])
        ledger.project.env["FAULT"] = str(disk.fault)
        with disk.mounted() as mount:
            ledger.project.env["DURABLY_DATA_DIR"] = str(mount / "data")
            result = ledger.attempt(*args)
        ledger.check_ended_in_order(result)
        assert result.code == 74, result
        lost = f"{re.escape(moment.lost)} (was not|may or may not have been) saved"
        assert re.search(lost, result.err), result
        assert sorted(ledger.acknowledged) == [str(n) for n in range(moment.acknowledged)], result
        executed = moment.acknowledged + (moment.acknowledged < STEPS)
        assert len(ledger.project.effects) == executed, f"it went on: {result}"

        disk.fault.unlink(missing_ok=True)
        (ledger.project.root / "mended").touch()
        with disk.mounted():  # what was not on the disk is gone
            ledger.check_output(ledger.attempt(*args), STEPS)
            assert len(ledger.project.runs()) == 1


@pytest.mark.parametrize(
    ("file_system", "how"),
    [("ext4", "once"), ("xfs", "once"), ("ext4", "on")],  # after `once`, a second sync succeeds
)
def test_a_run_whose_disk_fails_stops_and_loses_nothing(
    file_system: str, how: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    fail_at(random.choice(MOMENTS), how, file_system, tmp_path / "run")
    count(1)


@pytest.mark.long
def test_a_run_whose_disk_fails_in_a_pause_stops_and_loses_nothing(
    tmp_path: Path, count: Callable[[int], None]
) -> None:
    fail_at(IN_A_PAUSE, "on", "ext4", tmp_path / "run")
    count(1)


@pytest.mark.campaign
@pytest.mark.parametrize("how", ["once", "on"])
@pytest.mark.parametrize("file_system", ["ext4", "xfs", "btrfs"])
def test_a_run_whose_disk_fails_at_each_moment_stops_and_loses_nothing(
    how: str, file_system: str, tmp_path: Path, count: Callable[[int], None]
) -> None:
    for number, moment in enumerate([*MOMENTS, IN_A_PAUSE]):
        fail_at(moment, how, file_system, tmp_path / str(number))
    count(len(MOMENTS) + 1)
