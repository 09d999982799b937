"""What a job says through the standard `logging` and `warnings`, as lines of its run's log.

It takes a place beside the handlers of `logging`, and is none: a handler at the root would make
`logging.basicConfig` do nothing, and silence what is printed of a record that has no handler. Where
a record or a warning is shown stays as it was, and nothing that is said fails a run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from durably_cli.errors import JournalLost
from durably_cli.journal.events import TRACEBACK, LogWritten
from durably_cli.journal.failures import describe
from durably_cli.steps.echo import is_echo
from durably_cli.steps.logger import Logging
from durably_cli.system import clock
from durably_cli.system.process import this
from durably_cli.values.quantities import plural
from durably_cli.values.strict_json import printable
from durably_cli.values.untrusted import repr_of, safely, text_of

LINES, CHARACTERS = 10_000, 4_000_000
"""How much of it a run's log takes in an attempt; a warning in a loop is not to fill the disk."""


class Capture:
    """Takes what is said in one attempt, from this level of `logging` on.

    `all_threads` says that all threads of the process are the job's. Else those that are there now
    are of a program that has other work too.
    """

    def __init__(self, step: Logging, level: int, *, all_threads: bool) -> None:
        self.level = level
        self._step, self._process = step, this.pid
        self._others = WeakSet[threading.Thread]()
        if not all_threads:
            self._others.update(threading.enumerate())
        self._lines, self._characters, self._left_out = LINES, CHARACTERS, 0
        self.is_over = False

    def is_of_this_process(self) -> bool:
        """Is it not a copy, in a child that the job has forked?"""
        return self._process == this.pid

    def has(self, thread: threading.Thread) -> bool:
        """May this be a thread of the job, as far as can be known?"""
        return self.is_of_this_process() and thread not in self._others

    def take(self, level: str, message: str, source: str, data: dict[str, Any]) -> None:
        """Log it, up to the bound."""
        characters = len(message) + sum(map(len, map(str, data.values())))
        if self._lines == 0 or self._characters < characters:
            self._left_out += 1
            return
        self._lines -= 1
        self._characters -= characters
        self._log(level, message, source, data)

    def end(self) -> None:
        """The attempt is over; what was left out is counted."""
        if self._left_out and self.is_of_this_process():
            what = f"{plural(self._left_out, 'record')} more than a run's log takes were left out"
            self._log("warn", what, "logging", {})
        self.is_over = True

    def _log(self, level: str, message: str, source: str, data: dict[str, Any]) -> None:
        line = LogWritten(level, message, clock.now(), self._step.running, data, source=source)
        try:
            self._step.emit(line)
        except (JournalLost, Exception):  # whose next step says so, or which is over
            self.is_over = True


_here: ContextVar[Capture | None] = ContextVar("durably_capture", default=None)
_active: tuple[Capture, ...] = ()
_changing = threading.Lock()


def capture_here() -> Capture | None:
    """That of the attempt whose code asks; None if there is none, or nobody can know which.

    Python's threads do not inherit a context: they are of the one attempt that there is.
    """
    found = _here.get()
    if found is None and len(_active) == 1 and _active[0].has(threading.current_thread()):
        found = _active[0]
    return found if found and not found.is_over and found.is_of_this_process() else None


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
    """Inside, it takes what the code of this thread, and threads of nobody else, say."""
    global _active
    before = _here.get()
    try:
        with _changing:
            _active = (*_active, capture)
        _here.set(capture)
        yield
    finally:
        _here.set(before)
        if capture.is_of_this_process():
            with _changing:
                _active = tuple(each for each in _active if each is not capture)
        capture.end()


def _level_of(number: int) -> str:
    """What a run's log calls a level of `logging`, which may be one between two."""
    return (
        "error" if number >= 40 else "warn" if number >= 30 else "info" if number >= 20 else "debug"
    )


_WARNING = 30


def _message_of(record: Any) -> str:
    return printable(str(record.getMessage()))


def _forget_after_fork() -> None:
    """No attempt is the child's, and a lock may have been copied that nobody lets go."""
    global _active, _changing
    _active, _changing = (), threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
