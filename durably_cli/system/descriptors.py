"""Descriptors of durably's own, beside those of the job that is executed in the same process."""

from __future__ import annotations

import fcntl
import os

_HIGH, _LOWEST = 200, 3
_SPARE = 16
"""So many numbers below the highest are left for copies, where few files may be open."""


def with_high_number(fd: int) -> int:
    """A copy of a descriptor whose number nothing that is opened later is likely to get.

    A job may close all descriptors, as daemons do up to 256 or more, and what it opens then has the
    lowest numbers: what is written to one of ours is not to be written there. OSError if no more
    files may be open.
    """
    most = os.sysconf("SC_OPEN_MAX") - _SPARE
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(_LOWEST, min(_HIGH, most)))
    except OSError:  # the numbers from there on are taken
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
