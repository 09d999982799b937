"""What a job and its children print: put aside, and of a detached one into the run's logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, BinaryIO

from durably_cli.engines.local.execute import BoundHandler
from durably_cli.engines.local.resume import Runnable
from durably_cli.engines.local.store import Store
from durably_cli.errors import Abort, DurablyError, StepError
from durably_cli.journal.events import LogWritten
from durably_cli.steps.step import Step
from durably_cli.system import clock, files
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput

_PAUSE_SECONDS = 0.2
_LONGEST_LINE = 4_000
_MOST = 1_000_000
"""How many bytes of what is printed come into the logs."""


def spool(store: Store) -> BinaryIO:
    """A file without a name, of this user only, for what is printed."""
    fd, path = files.create(store.temporary, "printed")
    os.unlink(path)
    return open(fd, "w+b")


class LoggedJob:
    """A job whose runs have in their logs what arrives in the spool while they are executed."""

    def __init__(self, job: Runnable, printed: BinaryIO) -> None:
        self._job, self._printed = job, printed

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        """The input as the job's model reads it."""
        return self._job.settle(given, is_compared=is_compared)

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound."""
        bound = self._job.work(input)

        def call(step: Step) -> Json:
            with _logged(self._printed.fileno(), step):
                return bound.call(step)

        return bound._replace(call=call)


@contextmanager
def _logged(fd: int, step: Step) -> Iterator[None]:
    owner, done, lines = os.getpid(), Event(), _Lines(fd, step)
    thread = Thread(target=lines.follow, args=(done,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == owner:  # and not a process that the job has forked
            done.set()
            thread.join()


class _Lines:
    """The lines of a growing file, logged as they come, up to a bound."""

    def __init__(self, fd: int, step: Step) -> None:
        self._fd, self._step = fd, step
        self._at, self._rest = 0, b""

    def follow(self, done: Event) -> None:
        with suppress(Abort, StepError, DurablyError, OSError):  # nothing can be logged any more
            while not done.wait(_PAUSE_SECONDS):
                self._log_new()
            self._log_new()
            if self._rest:
                self._log(self._rest)

    def _log_new(self) -> None:
        while self._at < _MOST and (data := os.pread(self._fd, 1 << 16, self._at)):
            self._at += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._log(line)
            if self._at >= _MOST:
                self._log(b"more is printed than the logs of a run take; the rest is left out")
                self._rest = b""

    def _log(self, line: bytes) -> None:
        """Past the standard logging, which may print it, and so for ever."""
        text = line.decode("utf-8", "replace").rstrip("\r")[:_LONGEST_LINE]
        self._step.emit(LogWritten("info", text, clock.now(), self._step.running, {}))
