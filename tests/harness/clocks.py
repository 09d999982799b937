"""Wall clocks of projects, which tests set: no real one is touched for it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Project
from tests.harness.seeding import SITE

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
"""Shows a process another time; None where it is not installed."""


class Place:
    """A project whose runs are of all times, and its wall clock, which no real one is touched for.

    As on a real machine, setting it leaves the monotonic clock alone.
    """

    def __init__(self, project: Project) -> None:
        self.project, self.run = project, project.run
        self._clock = project.root.parent / "clock"
        self.set("+0")
        project.env |= {
            "CLOCK": str(self._clock),
            "PYTHONPATH": f"{SITE}:{project.env['PYTHONPATH']}",
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, time: str) -> None:
        """`-3y` and `+5h` are off the true time, `@2038-01-19 03:14:07` goes on from there.

        A time without the `@` is one that stands still.
        """
        self._clock.write_text(time + "\n")
