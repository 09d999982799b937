"""The time zone of the machine, by which cron, systemd and launchd go whatever TZ says."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME = Path("/etc/localtime")
_FOLDER = "zoneinfo/"


class Zone(NamedTuple):
    """A time zone, and what it is called."""

    rules: tzinfo
    name: str


def zone_of_machine() -> Zone:
    """The one of /etc/localtime; UTC if there is none, as the C library has it."""
    name = os.path.realpath(LOCALTIME).partition(_FOLDER)[2]
    try:
        return Zone(ZoneInfo(name), name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        with LOCALTIME.open("rb") as file:
            return Zone(ZoneInfo.from_file(file), str(LOCALTIME))
    except (OSError, ValueError):
        return Zone(UTC, "UTC")
