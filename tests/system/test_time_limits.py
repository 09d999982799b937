"""A call ends within its time, wherever it runs and whatever it swallows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from durably_cli.system.signals import shielded
from durably_cli.system.time_limits import OutOfTime, TookTooLong, call_within


def in_this_thread(act: Callable[[], Any]) -> Any:
    return act()


def in_another_thread(act: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


@pytest.fixture(params=[in_this_thread, in_another_thread])
def somewhere(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    found: Callable[[Callable[[], Any]], Any] = request.param
    return found


def spins() -> None:
    while True:
        pass


def swallows() -> str:
    while True:
        try:
            spins()
        except OutOfTime:
            return "swallowed"


def takes_it_for_an_oserror() -> None:
    try:
        spins()
    except Exception as error:
        raise AssertionError("it was caught") from error


def fails_late() -> None:
    time.sleep(0.15)
    raise ValueError("late")


def waits_in_slices() -> None:
    for _ in range(1000):
        time.sleep(0.01)


@pytest.mark.parametrize(
    "slow", [spins, swallows, takes_it_for_an_oserror, fails_late, waits_in_slices]
)
def test_what_takes_too_long_is_out_of_time(somewhere: Any, slow: Callable[[], Any]) -> None:
    with pytest.raises(TookTooLong):
        somewhere(lambda: call_within(0.1, slow, ()))


def test_what_ends_in_time_gives_what_it_gives(somewhere: Any) -> None:
    assert somewhere(lambda: call_within(60, divmod, (7, 2))) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        somewhere(lambda: call_within(60, divmod, (7, 0)))


def test_a_process_that_it_forks_has_no_limit(somewhere: Any) -> None:
    def forks() -> int:
        child = os.fork()
        if not child:
            time.sleep(0.4)
        return child

    def limited() -> int:
        code = 1
        try:
            child: int = call_within(0.2, forks, ())
            code = 7
        finally:
            if os.getpid() != owner:
                os._exit(code)  # so that no copy of the tests goes on
        return child

    owner = os.getpid()
    assert os.waitstatus_to_exitcode(os.waitpid(somewhere(limited), 0)[1]) == 7


@pytest.mark.long
def test_it_is_interrupted_again_until_it_ends(somewhere: Any) -> None:
    interrupted = list[float]()

    def insists() -> None:
        while len(interrupted) < 2:
            try:
                waits_in_slices()
            except OutOfTime:
                interrupted.append(time.monotonic())

    begun = time.monotonic()
    with pytest.raises(TookTooLong):
        somewhere(lambda: call_within(0.05, insists, ()))
    assert interrupted[1] - begun >= 1, "a second behind the first one, and not at once"


def test_no_interruption_comes_behind_the_end(somewhere: Any) -> None:
    """The limit is where the function ends, again and again: it is in time or it is not."""

    def race() -> None:
        for _ in range(300):
            with suppress(TookTooLong):
                call_within(0.001, spin_until, (time.monotonic() + 0.001,))
            sum(range(500))  # where one that is late would be raised

    def spin_until(end: float) -> None:
        while time.monotonic() < end:
            pass

    somewhere(race)


def test_a_shielded_function_comes_to_its_end_first(somewhere: Any) -> None:
    done = list[str]()

    @shielded
    def writes() -> None:
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
        done.append("written")

    def works() -> None:
        writes()
        waits_in_slices()

    with pytest.raises(TookTooLong):
        somewhere(lambda: call_within(0.1, works, ()))
    assert done == ["written"]


def test_an_alarm_of_the_users_own_is_left_to_it() -> None:
    rang = list[int]()
    before = signal.signal(signal.SIGALRM, lambda signum, frame: rang.append(signum))
    timer = signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(TookTooLong):
            call_within(0.2, waits_in_slices, ())
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
    assert rang == [signal.SIGALRM]


def test_many_threads_have_limits_of_their_own() -> None:
    def one(n: int) -> str:
        try:
            call_within(0.1 if n % 2 else 60, spins if n % 2 else time.sleep, () if n % 2 else (0,))
        except TookTooLong:
            return "out of time"
        return "in time"

    with ThreadPoolExecutor(6) as pool:
        assert [*pool.map(one, range(6))] == ["in time", "out of time"] * 3
    assert not [each for each in threading.enumerate() if "_ring_after" in each.name]
