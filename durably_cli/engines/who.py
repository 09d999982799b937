"""Who writes into a journal: the names of this machine and of the user."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from durably_cli.values.strict_json import printable


def host() -> str:
    """This machine's name."""
    return printable(os.uname().nodename)


def user() -> str:
    """The user's name, or number if it has none."""
    import getpass  # only what a person asks for has it

    try:
        return printable(getpass.getuser())
    except (KeyError, OSError):
        return str(os.geteuid())


def is_gone(pid: int, machine: str) -> bool:
    """Has the process ended? Of another machine nobody knows."""
    return machine == host() and not os.path.exists(f"/proc/{pid}") and os.path.exists("/proc/self")


def heirs_of(journal: Path) -> list[int]:
    """The other processes of this user that hold the lock on the file, as far as Linux says.

    A process that C code forks has the open file of its parent, and its lock, until it ends.
    """
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):  # it is somebody else's, or has just ended
            if int(pid) != os.getpid() and _holds(Path("/proc", pid), journal):
                found.append(int(pid))
    return sorted(found)


def _holds(process: Path, journal: Path) -> bool:
    for number in os.listdir(process / "fd"):
        with suppress(OSError):
            if os.path.samefile(process / "fd" / number, journal):
                return "lock:" in (process / "fdinfo" / number).read_text()
    return False
