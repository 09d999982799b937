"""A real terminal, and every byte that a command writes to it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import Any

from tests.conftest import Project


class TerminalWith:
    """A command of a project in a terminal of its own, of this size."""

    def __init__(
        self, project: Project, *command: str, columns: int = 80, lines: int = 24, **env: str
    ) -> None:
        self._main, inner = pty.openpty()
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            command,
            cwd=project.root,
            env=project.env | {"TERM": "xterm-256color"} | env,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> TerminalWith:
        return self

    def __exit__(self, *error: Any) -> None:
        self.process.kill()
        self.process.wait(30)
        os.close(self._main)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Make its window so large."""
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Type these keys."""
        os.write(self._main, keys)

    def read(self, until: str | None = None) -> str:
        """All that was written, once that is in it, or once the command has ended."""
        deadline = time.monotonic() + 60
        while until is None or until not in self.shown:
            assert time.monotonic() < deadline, self.shown[-500:]
            if not select.select([self._main], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self._main, 1 << 16)
            except OSError:  # its last user has closed it
                break
            if not data:
                break
            self.shown += self._decoder.decode(data)
        return self.shown
