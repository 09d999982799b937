"""Steps side by side, whose syncs and writes fail one after the other, and which are killed there.

A group commit that fails fails for everybody: nobody is acknowledged whose result is not on disk,
everybody stops, and the next attempt does nothing again that was acknowledged.
"""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import Result
from tests.harness.acknowledging import Acknowledging
from tests.harness.quick import sizes
from tests.harness.side_by_side import FORMS, SHAPES, Items, SideBySide
from tests.harness.system_calls import WRITES, Call, Fault, calls_in, fails, short, signals, watch

AT_ONCE = 4
_NOT_SAVED = re.compile(r"the result of step '([^']+)' was not saved")


class Faults(NamedTuple):
    """At which calls one happens, how the process may end by it, and the error of the call."""

    where: Callable[[Call], bool]
    act: Callable[..., Any]
    codes: tuple[int, ...]
    error: int = 0


def is_sync(call: Call) -> bool:
    return call.name == "fdatasync" and ".jsonl" in call.file


def is_result(call: Call) -> bool:
    return call.name in WRITES and call.event.startswith("step.completed")


def is_any(call: Call) -> bool:
    return True


def takes_its_time(sync: Callable[..., Any], *args: Any) -> Any:
    """What a disk does: others write meanwhile, and their results are not on it yet."""
    try:
        return sync(*args)
    finally:
        time.sleep(0.003)


KILLED = (-signal.SIGKILL,)
FAULTS = {
    "EIO of a sync": Faults(is_sync, partial(takes_its_time, fails(errno.EIO)), (74,), errno.EIO),
    "ENOSPC of a result": Faults(is_result, fails(errno.ENOSPC), (74,), errno.ENOSPC),
    "a result cut short, and it dies": Faults(is_result, short(50, dies=True), KILLED),
    "SIGKILL": Faults(is_any, signals(signal.SIGKILL), KILLED),
    "SIGTERM": Faults(
        is_any, signals(signal.SIGTERM), (143, -15, 0)
    ),  # as of any program, at its ends
}
MOST_STOPS = 40
"""At so many calls a process is stopped, of which each takes a while to end."""


class Bench:
    """A place to try a job of some items, side by side, again and again."""

    def __init__(self, root: Path, form: str, shape: str) -> None:
        self.steps, self._log, self._tried = SideBySide(root, form, shape, AT_ONCE), root / "log", 0
        self.steps.ask_for(Items.of(4, "ab"))
        self.attempt()  # leaves compiled modules behind

    def attempt(self, *faults: Fault, again: bool = False) -> Result:
        """Make a run, or go on with the last one; what it acknowledged was on disk before."""
        if not again:
            self.steps.begin_again()
            self._tried += 1
        slow = Fault("", is_sync, takes_its_time)
        before = partial(watch, self._log, *faults, slow)
        result = self.steps.attempt(*self.steps.begin(f"{self._tried}"), before=before)
        self.followed = Acknowledging(self._log, self.steps.project.effects_path)
        return result

    def calls(self, faults: Faults) -> int:
        """At how many calls there can be such a fault; as many as in one attempt that has none."""
        self.attempt()
        return sum(map(faults.where, calls_in(self._log)))

    def meet(self, faults: Faults, number: int) -> bool:
        """Meet it at the call of this number, from 1; then the run comes to its end.

        False if there were not as many.
        """
        met = 0

        def where(call: Call) -> bool:
            nonlocal met
            met += faults.where(call)
            return met == number and faults.where(call)

        result = self.attempt(Fault("", where, faults.act))
        is_met = sum(map(faults.where, calls_in(self._log))) >= number
        assert result.code in (faults.codes if is_met else (0,)), result
        assert "a bug in durably" not in result.err, result
        if result.code == 74:
            assert os.strerror(faults.error) in result.err, result
            behind = self.followed.executed_behind_failure
            assert behind <= AT_ONCE, f"{behind} functions were called behind it\n{result}"
        before = len(self.steps.project.effects)
        self.steps.check_output(self.attempt(again=True))
        for name in _NOT_SAVED.findall(result.err):
            again = any(f"run {name} " in line for line in self.steps.project.effects[before:])
            assert again or name in self.steps.items, f"{name} was saved all the same: {result}"
        return is_met


@pytest.mark.parametrize("most", sizes(2, None))
@pytest.mark.parametrize("form", FORMS)
def test_a_sync_of_a_map_fails(
    form: str, most: int | None, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(meet(Bench(tmp_path, form, "map"), FAULTS["EIO of a sync"], most))


EACH = [(form, *each) for form in FORMS for each in [*product(SHAPES, FAULTS)][1:]]
"""All but the first, which is tried above."""


@pytest.mark.parametrize(
    ("form", "shape", "fault", "most"),
    [
        *(pytest.param(*each, 1, marks=pytest.mark.long) for each in EACH[::3]),
        *(pytest.param(*each, None, marks=pytest.mark.campaign) for each in EACH),
    ],
)
def test_a_fault_at_some_calls_of_each_shape(
    form: str,
    shape: str,
    fault: str,
    most: int | None,
    tmp_path: Path,
    count: Callable[[int], None],
) -> None:
    most = MOST_STOPS if most is None and fault == "SIGTERM" else most
    count(meet(Bench(tmp_path, form, shape), FAULTS[fault], most))


def meet(bench: Bench, faults: Faults, most: int | None) -> int:
    """Meet it at each call, or at so many; how often it was."""
    if most is not None:
        drawn = random.sample(range(1, bench.calls(faults) + 1), most)
        return sum(bench.meet(faults, number) for number in drawn)
    number = 0
    while bench.meet(faults, number + 1):
        number += 1
    assert number > AT_ONCE
    return number
