"""Where the runs of a test are, and the time that they see."""

from __future__ import annotations

import time
from pathlib import Path

from durably_cli.values.durations import Duration, seconds_in

_ROUNDED_UP_NS = 1_000_000
"""By which a wait may be due later than it says: its time is written so."""


class DurablyStore:
    """The store of a test, as the fixture `durably_store` gives it.

    `path` is its data folder: what DURABLY_DATA_DIR says while the test runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ahead = 0

    def pass_time(self, duration: Duration) -> None:
        """Let so much time pass at once, for what waits: seconds, a timedelta or a text as `3d`.

        It is later for all runs of this process, not for the code of jobs.
        """
        self._ahead += round(seconds_in(duration) * 1e9) + _ROUNDED_UP_NS

    def time_ns(self) -> int:
        """What time it is in this store, in nanoseconds since 1970."""
        return time.time_ns() + self._ahead
