"""Waits of an attempt: they end when they are over, whatever is done to the clock, or at a stop."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from durably_cli.errors import Cancelled
from durably_cli.steps.stop import Stop
from durably_cli.system import clock


def moment(seconds: float) -> str:
    """So many seconds from now, as events have it."""
    return clock.format_due(datetime.now(UTC) + timedelta(seconds=seconds))


def test_it_is_not_over_before_its_time() -> None:
    until = datetime.now(UTC) + timedelta(seconds=0.3)
    Stop().wait_until(clock.format_due(until), 60)
    assert datetime.now(UTC) >= until


def test_one_whose_clock_was_set_back_lasts_no_longer() -> None:
    begun = time.monotonic()
    Stop().wait_until(moment(3600), 0.3)
    assert 0.3 <= time.monotonic() - begun < 600


def test_one_that_is_over_does_not_wait() -> None:
    Stop().wait_until(moment(-3600), 3600)


def test_a_stop_ends_it() -> None:
    stop = Stop()
    threading.Timer(0.2, stop.stop, (Cancelled("ann", None),)).start()
    with pytest.raises(Cancelled):
        stop.wait_until(moment(3600), 3600)
