"""A wall clock that can be set, as commands and their steps see it; no real one is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

needs_library = pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed")


class Clock:
    """The wall clock of a project's processes: libfaketime reads it off a file, each time anew.

    As on a real machine, setting it leaves the monotonic clock alone.
    """

    def __init__(self, project: Project) -> None:
        self.path = project.root.parent / "clock"
        self.set("+0")
        project.env |= {
            "CLOCK": str(self.path),
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, time: str) -> None:
        """`-3y` and `+5h` are off the true time, `@2038-01-19 03:14:07` goes on from there.

        A time without the `@` is one that stands still.
        """
        self.path.write_text(time + "\n")
