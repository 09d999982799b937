"""Whether a program's own `logging` shows a line of step.log on the standard streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from durably_cli.steps.logger import LOGGER, NAMES, standard_logging

_STANDARD = (1, 2)


def is_shown_by_logging(level: str) -> bool:
    """Does a handler write a line of this level to stdout or stderr?

    Asked of the handlers, for a file, a server or a list that takes the line shows it to nobody. A
    filter of the user's own is not called twice: it is taken to let the line pass.
    """
    logging = standard_logging()
    if logging is None:
        return False
    number = getattr(logging, NAMES[level])
    try:
        manager = logging.Logger.manager
        logger = manager.loggerDict.get(LOGGER)  # getLogger would wait for a lock that others have
        if not isinstance(logger, logging.Logger):  # not made yet
            logger = logging.root
        is_off = logger.disabled or number <= manager.disable
        if is_off or number < logger.getEffectiveLevel() or not _passes(logger, logging):
            return False
        return any(
            number >= handler.level and _passes(handler, logging) and _is_standard(handler)
            for handler in _handlers_of(logger)
        )
    except Exception:  # of a class of the program's own, which has shown nothing then
        return False


def _handlers_of(logger: Any) -> Iterator[Any]:
    """The handlers that are called for a record of this logger."""
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _passes(filterer: Any, logging: Any) -> bool:
    if not filterer.filters:  # as nearly always: a record is made for nothing
        return True
    record = logging.makeLogRecord({"name": LOGGER})
    return all(each.filter(record) for each in filterer.filters if type(each) is logging.Filter)


def _is_standard(handler: Any) -> bool:
    """Does it write to stdout or stderr? Rich's own handler does so through a console."""
    stream = getattr(handler, "stream", None) or getattr(
        getattr(handler, "console", None), "file", None
    )
    try:
        return stream is not None and stream.fileno() in _STANDARD
    except (OSError, ValueError, AttributeError):  # closed, or no file
        return False
