"""Writes that the kernel cuts short, inside the real process: to a data folder, by os.write."""

from __future__ import annotations

import sys
from typing import NamedTuple

_PROGRAM = """
import os, signal, sys
number, size, dies = int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1) == "dies"
calls = 0
def shortened(real):
    def call(fd, data, *offset):
        global calls
        is_ours = os.readlink(f"/proc/self/fd/{fd}").startswith(os.environ["DURABLY_DATA_DIR"])
        if not is_ours or len(data) < 2:  # what is no longer cannot be cut short
            return real(fd, data, *offset)
        calls += 1
        if number not in (0, calls):
            return real(fd, data, *offset)
        done = real(fd, bytes(data)[: max(1, len(data) * size // 100)], *offset)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call
os.write, os.pwrite = shortened(os.write), shortened(os.pwrite)
sys.argv[0] = "durably"
from durably_cli.__main__ import main
try:
    main()
finally:
    if "WRITES" in os.environ:
        with open(os.environ["WRITES"], "w") as file:
            file.write(str(calls))
"""

EVERY, NONE = 0, -1


class ShortWrite(NamedTuple):
    """So many percent of the `number`-th write get to the disk; then the process goes on, or dies.

    At least one byte does. A number of EVERY is each write, the rest of a shortened one too; NONE
    is none.

    How many writes there were stands in the file that the environment names as WRITES.
    """

    number: int
    percent: int
    dies: bool = False

    def command(self) -> tuple[str, ...]:
        """What to run in place of durably."""
        then = "dies" if self.dies else "goes on"
        return sys.executable, "-c", _PROGRAM, str(self.number), str(self.percent), then
