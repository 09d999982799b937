"""A program beside the runs, which is given a text and a time, and leaves nothing behind.

It is launched as those of steps are, by a supervisor that ends whatever it has started, and is no
child of this process: a job may wait for all that it has.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from signal import SIGKILL
from typing import NamedTuple

from durably_cli.system.programs import Channel, Launch, Programs, SupervisorLost

_SHOWN = 2_000
"""How many bytes of what it prints come back, from the end."""

_PATIENCE_SECONDS = 8.0
"""How long its end is waited for that was asked for: it takes 5 at most, or never comes."""

_PIECE = 1 << 16
_SPELLED = "backslashreplace"


class Aside(NamedTuple):
    """What came of it: its exit code, negative for a signal, and the end of what it printed.

    `is_late` if it took too long, and was ended.
    """

    code: int
    printed: str
    is_late: bool

    def said(self, seconds: float) -> str:
        """What went wrong within these seconds; empty if nothing did."""
        if self.code == 0 and not self.is_late:
            return ""
        ended = (
            f"exit code {self.code}" if self.code > 0 else f"it was ended by signal {-self.code}"
        )
        if self.is_late:
            ended = f"it took longer than {seconds:g} s, and was ended"
        return f"{ended}: {self.printed}" if self.printed else ended


def run_aside(
    path: str,
    words: Sequence[str],
    given: bytes,
    seconds: float,
    *,
    folder: str,
    variables: Mapping[str, str],
) -> Aside:
    """Run it, with `given` as its standard input and these variables, to its end or for so long.

    OSError if it cannot be launched.
    """
    more = {name.encode(): value.encode(errors=_SPELLED) for name, value in variables.items()}
    environment = {**os.environb, **more}
    programs = Programs(None)
    with ExitStack() as stack:
        stack.callback(programs.close)
        stdin, giving = os.pipe()
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        conversation = _Conversation(given, giving, reading)
        stack.callback(conversation.close)
        try:
            launch = Launch(path, list(words), environment, folder)
            channel, _ = programs.launch(launch, [stdin, writing, writing], ())
        finally:
            os.close(stdin)
            os.close(writing)
        stack.callback(channel.close)
        return conversation.until_end(channel, time.monotonic() + seconds)


class _Conversation:
    """This end of the pipes: what is given goes in, and what is printed is read, however much."""

    def __init__(self, given: bytes, giving: int, reading: int) -> None:
        self._given, self._giving, self._reading = memoryview(given), giving, reading
        self._tail = b""
        os.set_blocking(giving, False)
        self._poll = select.poll()
        self._poll.register(giving, select.POLLOUT)
        self._poll.register(reading, select.POLLIN)

    def until_end(self, channel: Channel, until: float) -> Aside:
        """What came of it; it is ended at that time."""
        self._poll.register(channel.fileno(), select.POLLIN)
        is_late = False
        while (left := until - time.monotonic()) > 0 or not is_late:
            if left <= 0:
                is_late, until = True, time.monotonic() + _PATIENCE_SECONDS
                channel.end()
                continue
            ready = {fd for fd, _ in self._poll.poll(int(left * 1000) + 1)}
            if self._reading in ready:
                self._read()
            if self._giving in ready:
                self._give()
            if channel.fileno() in ready:
                try:
                    return Aside(channel.result(), self._printed, is_late)
                except SupervisorLost:
                    break
        return Aside(-SIGKILL, self._printed, is_late)  # or it is another user's, or the kernel's

    def close(self) -> None:
        """Give no more."""
        fd, self._giving = self._giving, -1
        if fd >= 0:
            os.close(fd)

    def _read(self) -> None:
        data = os.read(self._reading, _PIECE)
        self._tail = (self._tail + data)[-_SHOWN:]
        if not data:
            self._poll.unregister(self._reading)

    def _give(self) -> None:
        try:
            self._given = self._given[os.write(self._giving, self._given[:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more
            self._given = self._given[:0]
        if not self._given:
            self._poll.unregister(self._giving)
            self.close()

    @property
    def _printed(self) -> str:
        return self._tail.decode("utf-8", "replace").strip()
