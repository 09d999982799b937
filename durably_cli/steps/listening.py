"""Where `logging`, `warnings` and starts of threads are listened to while attempts last.

Nothing is imported for it: `logging` is listened to once the job imports it. Who puts something of
his own over what stands here (an error tracker does so) may leave it there, where it does nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TextIO

from durably_cli.steps.capture import Capture, capturing, take_record, take_thread, take_warning
from durably_cli.steps.echo import echo

Undo = Callable[[], None]


@contextmanager
def listening(capture: Capture) -> Iterator[None]:
    """Inside, the capture is handed what this thread's job says."""
    try:
        _begin(capture)
        with capturing(capture):
            yield
    finally:
        if capture.is_of_this_process():
            _end(capture)


_listeners = set[Capture]()
_undo: list[Undo] = []
_changing = threading.Lock()


def _begin(capture: Capture) -> None:
    with _changing:
        _listeners.add(capture)
        if not _undo:
            _undo.append(_see_threads_start())
            _undo.append(_listen_to_warnings())
            _undo.append(_listen_to_logging(capture.level))


def _end(capture: Capture) -> None:
    with _changing:
        _listeners.discard(capture)
        while _undo and not _listeners:
            _undo.pop()()


def _forget_after_fork() -> None:
    """No attempt is the child's; what listens there does nothing, and a lock may have been held.

    Another thread may have been about to listen: who listens next in the child begins again.
    """
    global _changing
    _changing = threading.Lock()
    _listeners.clear()
    _undo.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


def _see_threads_start() -> Undo:
    start = threading.Thread.start
    is_over = False

    def start_and_take(thread: threading.Thread) -> None:
        if not is_over:
            take_thread(thread)
        start(thread)

    def undo() -> None:
        nonlocal is_over
        is_over = True
        if threading.Thread.start is start_and_take:
            threading.Thread.start = start  # type: ignore[method-assign]

    threading.Thread.start = start_and_take  # type: ignore[method-assign, assignment]
    return undo


def _listen_to_warnings() -> Undo:
    shown = warnings.showwarning
    is_over = False

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if is_over or not take_warning(message, category, filename, lineno):
            shown(message, category, filename, lineno, file, line)
        else:
            with echo():
                shown(message, category, filename, lineno, file, line)

    def undo() -> None:
        nonlocal is_over
        is_over = True
        if warnings.showwarning is show:
            warnings.showwarning = shown

    warnings.showwarning = show
    return undo


def _listen_to_logging(level: int) -> Undo:
    """To the module, or to its import, if there is one."""
    if "logging" in sys.modules:
        import logging  # another thread may be in the middle of it

        return _listen_to_loggers(logging, level)
    undo: list[Undo] = []
    finder = _Finder(lambda module: undo.append(_listen_to_loggers(module, level)))
    sys.meta_path.insert(0, finder)

    def stop() -> None:
        finder.leave()
        for each in undo:
            each()

    return stop


class _Finder:
    """Has something called with the module `logging` as soon as that is imported."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported

    def leave(self) -> None:
        """Find nothing more."""
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where `logging` is, as the other finders say; None of any other module."""
        if name != "logging":
            return None
        self.leave()
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_say(module: ModuleType) -> None:
                execute(module)
                if module.__name__ == name:
                    self._imported(module)

            spec.loader.exec_module = execute_and_say  # type: ignore[method-assign]
        return spec


def _listen_to_loggers(logging: Any, level: int) -> Undo:
    """At the door to the handlers, behind the levels, the filters and `logging.disable`."""
    call_handlers = logging.Logger.callHandlers
    is_over = False

    def call_handlers_too(logger: Any, record: Any) -> None:
        is_taken = not is_over and _reaches_root(logger) and take_record(record)
        if _is_made_for_us(logger, record):
            return
        with echo() if is_taken else nullcontext():
            call_handlers(logger, record)

    def undo() -> None:
        nonlocal is_over
        is_over = True
        if logging.Logger.callHandlers is call_handlers_too:
            logging.Logger.callHandlers = call_handlers
        if type(logging.root.level) is _Lowered:
            logging.root.setLevel(logging.root.level.usual)

    logging.Logger.callHandlers = call_handlers_too
    if level < logging.root.level == logging.WARNING:  # the level that nobody has chosen
        logging.root.setLevel(_Lowered(level, logging.root.level))
    return undo


class _Lowered(int):
    """A level of the root logger that is there so that records are made for the run's log.

    The handlers do not get those: they would show more than before. Whoever sets a level, the same
    one even, sets a plain int.
    """

    usual: int

    def __new__(cls, level: int, usual: int) -> _Lowered:
        made = super().__new__(cls, level)
        made.usual = usual
        return made

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        """Copied, or sent to another process, it is the level that it stands in for."""
        return int, (self.usual,)


def _reaches_root(logger: Any) -> bool:
    """Do the handlers of the root logger get what this one logs?"""
    while logger is not None and logger.propagate:
        logger = logger.parent
    return logger is None


def _is_made_for_us(logger: Any, record: Any) -> bool:
    while not logger.level and logger.parent:
        logger = logger.parent
    return type(logger.level) is _Lowered and record.levelno < logger.level.usual
