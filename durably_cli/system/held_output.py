"""What programs print, held open: so nobody dies of printing while being ended.

Who prints into a pipe that no one can read is killed by that, or fails, before it has cleaned up.
durably reads what programs print; once it does so no more, that is taken here and thrown away.
"""

from __future__ import annotations

import os
import select

_PIECE = 1 << 16


class HeldOutput:
    """The reading ends of pipes, by the program that prints into them; closed when none can."""

    def __init__(self, poll: select.poll) -> None:
        self._poll = poll
        self._programs = dict[int, object]()

    def __contains__(self, fd: int) -> bool:
        return fd in self._programs

    def hold(self, fds: list[int], program: object) -> None:
        """Hold these, which are read elsewhere."""
        for fd in fds:
            self._programs[fd] = program
            self._poll.register(fd, 0)

    def discard(self, program: object) -> None:
        """Nobody reads any more what this program prints."""
        for fd, whose in self._programs.items():
            if whose is program:
                os.set_blocking(fd, False)
                self._poll.modify(fd, select.POLLIN)

    def discard_all(self) -> None:
        """Nobody reads any more what any of them prints."""
        for program in set(self._programs.values()):
            self.discard(program)

    def turn_to(self, fd: int, event: int) -> None:
        """Take what is there, or see that no more can come."""
        if event & select.POLLIN:
            try:
                if os.read(fd, _PIECE):
                    return
            except BlockingIOError:  # somebody still reads
                return
        self._poll.unregister(fd)
        del self._programs[fd]
        os.close(fd)
