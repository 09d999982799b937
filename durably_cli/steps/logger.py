"""`step.log`: lines for the journal, and for the standard `logging`."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Any, Protocol

from durably_cli.journal.events import TRACEBACK, LogWritten
from durably_cli.journal.failures import describe
from durably_cli.journal.registry import Event
from durably_cli.steps.echo import echo
from durably_cli.system import clock, signals
from durably_cli.values.strict_json import is_too_deep, parse, printable, to_json
from durably_cli.values.untrusted import repr_of, text_of


class Logging(Protocol):
    """What a line needs of the step it is written in."""

    run_id: str

    @property
    def running(self) -> str | None:
        """The name of the step whose function is being called."""

    def masked(self, line: LogWritten) -> LogWritten:
        """The line with known secrets masked."""

    def emit(self, event: Event, *, is_replayed: bool | None = None) -> bool:
        """Record an event; False if a replay repeats it, and nothing is to be seen of it."""


class Logger:
    """Lines for the journal, and for the logger `durably` of the standard `logging`."""

    def __init__(self, step: Logging) -> None:
        self._step = step

    def debug(self, message: str, /, **data: object) -> None:
        """What helps to find a fault; `data` are values to look at later."""
        self._write("debug", message, data)

    def info(self, message: str, /, **data: object) -> None:
        """Something worth knowing."""
        self._write("info", message, data)

    def warning(self, message: str, /, **data: object) -> None:
        """Something odd that the job can live with."""
        self._write("warn", message, data)

    warn = warning

    def error(self, message: str, /, **data: object) -> None:
        """Something that went wrong, though the job goes on."""
        self._write("error", message, data)

    def exception(self, message: str, /, **data: object) -> None:
        """An error, with the traceback of the exception that is being handled among its data."""
        handled = sys.exception()
        found = {} if handled is None else {TRACEBACK: describe(handled).traceback}
        self._write("error", message, {**data, **found})

    def _write(self, level: str, message: str, data: dict[str, object]) -> None:
        logged = {printable(key): _loggable(value) for key, value in data.items()}
        line = LogWritten(level, text_of(message), clock.now(), self._step.running, logged)
        masked = self._step.masked(line)
        if self._step.emit(masked):
            _to_logging(masked, self._step.run_id)


def warn(to: Logging, text: str, step: str | None = None) -> None:
    """A line of durably's own, of this step; it is said in every attempt."""
    line = to.masked(LogWritten("warn", text, clock.now(), step))
    if to.emit(line, is_replayed=False):
        _to_logging(line, to.run_id)


def standard_logging() -> Any:
    """The module `logging`; None in a signal handler that interrupts its import.

    Python cannot import a module in the middle of the import of the same one.
    """
    thread = threading.get_ident()
    module = sys.modules.get("logging")
    if module is None and thread not in _importing:
        _importing.add(thread)
        try:
            import logging as module  # only jobs that log pay for it

            signals.shield_forks()
        finally:
            _importing.discard(thread)
    is_whole = module and not getattr(module.__spec__, "_initializing", False)
    return module if is_whole else None


LOGGER = "durably"
"""The logger of the standard `logging` that gets the lines."""

NAMES = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
"""What the standard `logging` calls the levels of a run's log."""

_importing = set[int]()
"""The threads that import `logging`."""


def _to_logging(line: LogWritten, run_id: str) -> None:
    logging = standard_logging()
    if logging is None:
        return
    number = getattr(logging, NAMES[line.level])
    text = "\n".join([line.message + line.values, *line.traceback])
    try:
        logger = logging.getLogger(LOGGER)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        with echo():
            try:
                logger.log(number, "%s", text, extra={"run_id": run_id, "data": line.data})
            except KeyError:  # the program's own records have such a field already
                logger.log(number, "%s", text)
    except Exception as error:  # of a handler or a filter of the program
        _say_once(f"a line of step.log could not be logged: {text_of(error)}")


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        with suppress(OSError):  # past sys.stderr, which may be what fails
            os.write(2, f"durably: {text}\n".encode())


_said = set[str]()


def _loggable(value: object) -> object:
    """What a reader gets: the value if it is strict JSON, else its repr.

    A log line never fails a run.
    """
    try:
        text = to_json(value)
        return repr_of(value) if is_too_deep(text) else parse(text)
    except Exception:  # not JSON; and a dict or a list of the user's own may do anything
        return repr_of(value)
