"""Programs that start others in every way to get out of sight, and note their ids."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

NOTED = 'echo $$ >> "$EFFECTS"; '
SLEEPS = f"{NOTED}exec sleep 600"

TREE = f"""{NOTED}
(setsid sh -c '{SLEEPS}' &)
setsid sh -c '{SLEEPS}' &
sh -c '{SLEEPS}' &
env -i EFFECTS="$EFFECTS" PATH="$PATH" sh -c '{SLEEPS}' &
sleep 600
"""
"""A daemon in a session of its own, a child in one, a plain child, one without our variables."""

STUBBORN_TREE = "trap '' TERM; " + TREE

IN_TREE = 5
"""How many of it note their ids."""


TIDY = r"""
trap '
    echo asked >> $EFFECTS
    sh -c "sh -c \"sleep 0.5; exit\"; exit" && yes | head -c 300000 && echo tidied >> $EFFECTS
    exit 1
' TERM
echo $$ >> $EFFECTS
while :; do sleep 0.1; done
"""
"""A program that tidies up when it is asked to end, and prints more than a pipe takes."""


def living(pids: Iterable[str]) -> list[str]:
    """Those of these processes that have not ended."""
    return [pid for pid in pids if (stat := _stat(pid)) and stat[0] not in "ZX"]


def left_of(pids: Iterable[str]) -> list[str]:
    """Those that still live after half a minute; none, as soon as none does."""
    deadline = time.monotonic() + 30
    while (left := living(pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def end(pids: Iterable[str]) -> None:
    """Kill what a test has left."""
    for pid in living(pids):
        os.kill(int(pid), 9)


def supervisors_of(run_id: str) -> list[str]:
    """The processes that supervise the programs of a run.

    A program that one of them has just made looks like it until it is executed, and is none.
    """
    found = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _has_word(entry, f"supervisor of {run_id}".encode())
    ]
    return [pid for pid in found if (stat := _stat(pid)) and stat[1] not in found]


def _has_word(process: Path, word: bytes) -> bool:
    try:
        return word in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _stat(pid: str) -> list[str]:
    """The state of a process, its parent, and so on; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
