"""How processes are ended: TERM, and after a grace KILL. Loads little, for the supervisor."""

from __future__ import annotations

import time

from durably_cli.system.process_table import send_end

GRACE_SECONDS = 5.0
"""How long a program has, between TERM and KILL."""


class Ending:
    """What is being ended: since when, and who was asked already."""

    def __init__(self) -> None:
        self._kill_at = time.monotonic() + GRACE_SECONDS
        self._asked = set[int]()
        self._unseen = 0

    def press(self, members: set[int]) -> bool:
        """Go on with it; is nobody left? One that executes another file has no mark meanwhile."""
        self._unseen = 0 if members else self._unseen + 1
        at_once = time.monotonic() >= self._kill_at
        for pid in members if at_once else members - self._asked:
            send_end(pid, at_once=at_once)
        self._asked |= members
        return self._unseen > 1

    def press_group(self, group: int) -> None:
        """The same for a process group, of which nobody says who is in it."""
        at_once = time.monotonic() >= self._kill_at
        if at_once or group not in self._asked:
            send_end(-group, at_once=at_once)
        self._asked.add(group)

    @property
    def is_late(self) -> bool:
        """Has even KILL not helped? It is somebody else's, or the kernel's."""
        return time.monotonic() > self._kill_at + 1
