"""What a job says through the standard `logging` and `warnings`, as lines of its run's log.

It takes a place beside the handlers of `logging`, and is none: a handler at the root would make
`logging.basicConfig` do nothing, and silence what is printed of a record that has no handler. Where
a record or a warning is shown stays as it was, and nothing that is said fails a run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import ref

from durably_cli.errors import JournalLost
from durably_cli.journal.events import TRACEBACK, LogWritten
from durably_cli.journal.failures import describe
from durably_cli.steps.echo import is_echo
from durably_cli.steps.logger import Logging
from durably_cli.steps.scope import mark_thread
from durably_cli.system import clock
from durably_cli.system.process import this
from durably_cli.values.quantities import plural
from durably_cli.values.strict_json import printable
from durably_cli.values.untrusted import repr_of, safely, text_of

LINES, CHARACTERS = 10_000, 4_000_000
"""How much of it a run's log takes in an attempt; a warning in a loop is not to fill the disk."""


class Budget:
    """Room for so many lines, and for so much in all of them, in any unit."""

    def __init__(self, size: int) -> None:
        self._size, self._lines = size, 0

    def takes(self, size: int) -> bool:
        """Is there room for a line of this size? What is too large leaves others their room."""
        if self._lines >= LINES or size > self._size:
            return False
        self._lines += 1
        self._size -= size
        return True


class Capture:
    """Takes what is said in one attempt, from this level of `logging` on.

    `all_threads` says that all threads of the process are the job's. Else they are of a program
    that has other work too, but those that the job's code has started.
    """

    def __init__(self, step: Logging, level: int, *, all_threads: bool) -> None:
        self.level, self.all_threads = level, all_threads
        self._step, self._process = step, this.pid
        self._budget, self._left_out = Budget(CHARACTERS), 0
        self._is_over = False

    def is_of_this_process(self) -> bool:
        """Is it not a copy, in a child that the job has forked?"""
        return self._process == this.pid

    def is_on(self) -> bool:
        """Does the attempt last, in this process, and is its journal there?"""
        return not self._is_over and self.is_of_this_process()

    def take(self, level: str, message: str, source: str, data: dict[str, Any]) -> None:
        """Log it, up to the bound."""
        characters = len(message) + sum(map(len, map(str, data.values())))
        if self._budget.takes(characters):
            self._log(level, message, source, data)
        else:
            self._left_out += 1

    def end(self) -> None:
        """The attempt is over; what was left out is counted."""
        if self._left_out and self.is_on():
            what = f"{plural(self._left_out, 'record')} more than a run's log takes were left out"
            self._log("warn", what, "logging", {})
        self._is_over = True

    def _log(self, level: str, message: str, source: str, data: dict[str, Any]) -> None:
        line = LogWritten(level, message, clock.now(), self._step.running, data, source=source)
        try:
            self._step.emit(line)
        except JournalLost:  # the next step says so
            self._is_over = True
        except Exception:  # of this line, as where the stack is full
            self._left_out += 1


_here: ContextVar[Capture | None] = ContextVar("durably_capture", default=None)
_of_process: Capture | None = None
"""That of all threads."""

_OF_THREAD = "_durably_capture"
"""The attribute of a thread that refers to that of the code which has started it."""


def capture_here() -> Capture | None:
    """That of the attempt whose code asks; None if it is no attempt's, or nobody can know which.

    A thread of Python does not inherit a context.
    """
    of_thread = getattr(threading.current_thread(), _OF_THREAD, None)
    for found in (_here.get(), of_thread and of_thread(), _of_process):
        if found is not None and found.is_on():
            return found
    return None


def take_thread(thread: threading.Thread) -> None:
    """What it will say is said by the attempt whose code starts it now, if one does."""
    capture = capture_here()
    if capture is not None:
        setattr(thread, _OF_THREAD, ref(capture))  # it may outlive the attempt, and the results
        mark_thread(thread)


def take_record(record: Any) -> bool:
    """Log a record of `logging`; False if it is none of a run's, or of too low a level."""
    capture = None if is_echo() else capture_here()
    if capture is None or record.levelno < capture.level:
        return False
    try:
        message = safely(_message_of, record)
        text = message if message is not None else f"{text_of(record.msg)} {repr_of(record.args)}"
        handled = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        data = {TRACEBACK: describe(handled).traceback} if handled is not None else {}
        capture.take(_level_of(record.levelno), text, printable(str(record.name)), data)
    except Exception:  # of a record that somebody has made otherwise
        return False
    return True


def take_warning(message: object, category: type, filename: str, lineno: int) -> bool:
    """Log a warning of `warnings`; False if it is none of a run's."""
    capture = None if is_echo() else capture_here()
    if capture is None or capture.level > _WARNING:
        return False
    text = f"{printable(str(category.__name__))}: {text_of(message)}"
    capture.take("warn", text, "py.warnings", {"file": text_of(filename), "line": lineno})
    return True


@contextmanager
def capturing(capture: Capture) -> Iterator[None]:
    """Inside, it takes what the code of this thread, and of all that are the job's, says."""
    global _of_process
    before = _here.get()
    try:
        _here.set(capture)
        if capture.all_threads:
            _of_process = capture
        yield
    finally:
        _here.set(before)
        capture.end()


def _level_of(number: int) -> str:
    """What a run's log calls a level of `logging`, which may be one between two."""
    return (
        "error" if number >= 40 else "warn" if number >= 30 else "info" if number >= 20 else "debug"
    )


_WARNING = 30


def _message_of(record: Any) -> str:
    return printable(str(record.getMessage()))
