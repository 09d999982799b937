"""What a program prints, on one of its streams: shown, logged, and returned up to a bound."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from durably_cli.journal.events import LogWritten
from durably_cli.steps.echo import echo
from durably_cli.system import clock, files
from durably_cli.values.quantities import size
from durably_cli.values.visible import last_written, visible

LIMIT = 64 * 1024
"""How many bytes of a stream come back; of more the beginning and the end do."""

_HALF = LIMIT // 2

_LINES, _LONGEST_LINE = 1_000, 4_000
"""How many lines of a stream come into the logs, and how many characters of each."""

_HELD_BACK = 4_096
"""How many bytes of a line without end wait for more, for a secret may begin in them."""

_PIECE = 1 << 16


class Listener(Protocol):
    """Where a program is run: what becomes of its output."""

    def mask(self, text: str) -> str:
        """The text without known secrets."""

    def log(self, line: LogWritten) -> None:
        """Add a line to the run's logs."""

    def new_output(self, stream: str) -> tuple[int, Path] | None:
        """A new file for output: its descriptor and path; None where there is none."""

    @property
    def has_secrets(self) -> bool:
        """Is there anything to mask?"""

    @property
    def running(self) -> str | None:
        """The name of the step."""


class Output:
    """Takes what a program prints on `stream`, stdout or stderr, from a pipe's end."""

    def __init__(self, stream: str, fd: int, place: Listener) -> None:
        self.stream, self.fd = stream, fd
        self.path: Path | None = None
        """The file that has all of it, if that is too much to be returned."""
        self._place, self._step = place, place.running
        self._file = -1
        self._size = self._lines = 0
        self._head, self._tail = b"", b""
        self._unmasked, self._line = b"", b""
        self.is_finished = False
        """Has all been returned, and is the rest only shown?"""

    def take(self) -> bool:
        """Take what is there; is there more to come?"""
        data = os.read(self.fd, _PIECE)
        if data:
            self._take_masked(data)
        return bool(data)

    def follow(self) -> None:
        """Show what still comes, in a thread of its own, until nobody can print any more."""
        with suppress(BaseException):  # the run ends, and nothing can be logged any more
            while self.take():
                pass
            self.finish()
        with suppress(OSError, ValueError):  # who prints is not to wait for a reader
            while os.read(self.fd, _PIECE):
                pass
        self.close()

    def finish(self) -> str:
        """What the program has printed, as text; what is no UTF-8 is spelled `\\xff`."""
        if self._unmasked:
            self._add(self._without_secrets(self._unmasked))
            self._unmasked = b""
        if self._line:
            self._say(b"\n")
        self.is_finished = True
        if self._size <= LIMIT:
            return _text(self._head + self._tail)
        whole = ""
        if self.path is not None and self._file >= 0:
            with files.with_path(self.path):
                files.sync(self._file)
                fd, self._file = self._file, -1
                os.close(fd)
            files.sync_folder(self.path.parent)
            files.sync_folder(self.path.parent.parent)
            whole = f", all of it in {self.path}"
            self._log(f"{size(self._size)} in all, in {self.path}")
        left_out = f"{size(self._size - LIMIT)} of {size(self._size)} left out{whole}"
        return f"{_text(self._head)}\n... {left_out} ...\n{_text(self._tail)}"

    def close(self) -> None:
        """Let go of the pipe and the file."""
        for fd in (self.fd, self._file):
            if fd >= 0:
                os.close(fd)
        self.fd = self._file = -1

    def _take_masked(self, data: bytes) -> None:
        """Take as much as is sure to hold no secret that goes on in what comes."""
        if not self._place.has_secrets:
            self._add(data)
            return
        data = self._unmasked + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _PIECE:
            data = self._without_secrets(data)
            end = max(0, len(data) - _HELD_BACK)
            self._add(data[:end])
        elif end:
            self._add(self._without_secrets(data[:end]))
        self._unmasked = data[end:]

    def _without_secrets(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        return self._place.mask(text).encode("utf-8", "surrogateescape")

    def _add(self, data: bytes) -> None:
        before, self._size = self._size, self._size + len(data)
        if self._size > LIMIT and before <= LIMIT and not self.is_finished:
            self._begin_file()
        self._write(data)
        room = _HALF - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[max(0, room) :])[-_HALF:]
        self._say(data)

    def _begin_file(self) -> None:
        """From now on there is too much to return: what was taken so far goes to a file, first."""
        found = self._place.new_output(self.stream)
        if found is not None:
            self._file, self.path = found
            self._write(self._head + self._tail)

    def _write(self, data: bytes) -> None:
        if self.path is not None and self._file >= 0:
            with files.with_path(self.path):
                files.write_all(self._file, data)

    def _say(self, data: bytes) -> None:
        """Show and log the lines that are whole now, or are too long to wait for their end."""
        data = self._line + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _PIECE:
            data, end = data + b"\n", len(data) + 1
        self._line = data[end:]
        if not end:
            return
        _show(_text(data[:end]))
        for line in data[: end - 1].split(b"\n") if self._lines <= _LINES else ():
            self._lines += 1
            if self._lines > _LINES:
                self._log("more is printed than the logs take")
                return
            self._log(_text(line))

    def _log(self, text: str) -> None:
        text = last_written(text)[:_LONGEST_LINE]
        self._place.log(LogWritten("info", text, clock.now(), self._step, {}, source=self.stream))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _show(text: str) -> None:
    with echo(), suppress(OSError, ValueError, AttributeError):  # nobody reads it, or it is gone
        is_coloured = sys.stderr.isatty()
        lines = (_harmless(line, is_coloured=is_coloured) for line in text.split("\n"))
        sys.stderr.write("\n".join(lines))


def _harmless(line: str, *, is_coloured: bool) -> str:
    """The line as it stands there in the end, with what would steer a terminal spelled out.

    Tabs stay, and colours if it `is_coloured`.
    """
    line = last_written(line)
    if line.isprintable():
        return line
    stays = _COLOUR_OR_TAB if is_coloured else _TAB
    pieces = re.split(stays, line)
    return "".join(each if n % 2 else visible(each) for n, each in enumerate(pieces))


_TAB, _COLOUR_OR_TAB = r"(\t)", r"(\t|\x1b\[[0-9;:]*m)"
