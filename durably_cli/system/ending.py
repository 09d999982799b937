"""How processes are ended: TERM, and after a grace KILL. Loads little, for the supervisor."""

from __future__ import annotations

import time

from durably_cli.system.process_table import send_end

GRACE_SECONDS = 5.0
"""How long a program has, between TERM and KILL."""


class Ending:
    """What is being ended: since when, and who was asked already, which nobody is twice.

    Others may go on `within` it: they share what they know of that.
    """

    def __init__(self, *within: Ending) -> None:
        self._kill_at = time.monotonic() + GRACE_SECONDS
        self._asked = set[int]()
        for each in within:
            self._asked |= each._asked
        for each in within:
            each._asked = self._asked
        self._unseen = 0

    def press(self, members: dict[int, int]) -> bool:
        """Go on with it, by process and parent; is nobody left?

        What comes from one that was asked, and lives, is what that tidies up with: it is not asked.
        """
        # One that executes another file has no mark meanwhile.
        self._unseen = 0 if members else self._unseen + 1
        at_once = time.monotonic() >= self._kill_at
        asked = self._asked & members.keys()
        for pid in members:
            if at_once or not _comes_from(pid, asked, members):
                send_end(pid, at_once=at_once)
                self._asked.add(pid)
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


def _comes_from(pid: int, asked: set[int], parents: dict[int, int]) -> bool:
    """Is it one of these, or does it come from one?"""
    while pid not in asked and pid in parents:
        pid = parents[pid]
    return pid in asked
