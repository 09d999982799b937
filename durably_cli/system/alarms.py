"""Raising an exception in a thread that is busy with something else.

In the main thread a signal does it, which ends most system calls too. It is SIGURG: nobody else
wants it, and as it is ignored by default, one that comes late does no harm. In any other thread
Python raises at the next bytecode, so a call into C comes to its end first.

Nothing is raised inside a `shielded` function: whoever rings does so again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any, Protocol, TypeAlias

from durably_cli.system import other_threads, signals

_SIGNAL = signal.SIGURG

MayRaiseIn: TypeAlias = Callable[[FrameType], bool]
"""Whether something may be raised where this frame is executed."""


class Alarm(Protocol):
    """Between `set` and `end`, `ring` raises an exception in the thread that has made it.

    `has_rung` is for who rings: it becomes True when the exception is raised.
    """

    has_rung: bool

    def set(self) -> None:
        """It may ring from now on."""

    def ring(self, may_raise_in: MayRaiseIn = lambda frame: True) -> None:
        """Raise, if the thread is where that does no harm; called by another thread.

        In the main thread it is only raised in frames that it may be raised in.
        """

    def interrupt(self) -> None:
        """Have the thread see a signal that arrived just as it began to wait; nothing is raised.

        Python looks for signals between two bytecodes, and sleeps on if one comes behind that look.
        Called by another thread, where an interrupted system call does no harm.
        """

    def end(self) -> None:
        """It rings no more."""


def alarm(error: BaseException) -> Alarm:
    """One for this thread. Off the main thread only the class of the error counts."""
    is_main = threading.current_thread() is threading.main_thread()
    return _OfTheMainThread(error) if is_main else _OfAnotherThread(type(error))


class _OfTheMainThread:
    def __init__(self, error: BaseException) -> None:
        self.error, self._thread = error, get_ident()
        self._rings = self.has_rung = False
        self._may_raise_in: MayRaiseIn = lambda frame: True

    def set(self) -> None:
        if not _set:
            _others.handler = signal.signal(_SIGNAL, _answer)
        _set.append(self)

    def ring(self, may_raise_in: MayRaiseIn = lambda frame: True) -> None:
        if self in _set:
            self._rings, self._may_raise_in = True, may_raise_in
            signal.pthread_kill(self._thread, _SIGNAL)

    def interrupt(self) -> None:
        if self in _set:
            signal.pthread_kill(self._thread, _SIGNAL)

    def end(self) -> None:
        while True:
            try:
                while self in _set:
                    _set.remove(self)
                if not _set and signal.getsignal(_SIGNAL) is _answer:
                    signal.signal(_SIGNAL, _others.handler or signal.SIG_DFL)
                return
            except BaseException as raised:  # it rang once more
                if raised is not self.error:
                    raise

    def answer(self, frame: FrameType | None) -> None:
        """Raise the error if it rings, and may be raised there."""
        if self._rings and (frame is None or self._may_raise_in(frame)):
            self._rings, self.has_rung = False, True
            raise self.error.with_traceback(None)  # it may have been raised before


_set = list[_OfTheMainThread]()


class _Others:
    """What somebody else had done at this signal: it is theirs again behind the last alarm."""

    handler: Any = None


_others = _Others()


def _rings_again(error: BaseException | None) -> None:
    """Python has passed over it: it was raised in a finalizer, or in a callback."""
    for each in _set:
        if each.error is error:
            each.has_rung = False


signals.when_raised_in_vain(_rings_again)


def _answer(signum: int, frame: FrameType | None) -> None:
    if signals.may_raise():
        for each in reversed(_set):
            each.answer(frame)


class _OfAnotherThread:
    def __init__(self, error: type[BaseException]) -> None:
        self._error, self._thread = error, get_ident()
        self.has_rung = False

    def set(self) -> None:
        other_threads.watch(self._thread, self, lambda: _raise_in(self._thread, None))

    def ring(self, may_raise_in: MayRaiseIn = lambda frame: True) -> None:
        other_threads.unless_shielded(self._thread, self, self._raise)

    def _raise(self) -> None:
        self.has_rung = True
        _raise_in(self._thread, self._error)

    def interrupt(self) -> None:
        """Only the main thread handles signals."""

    def end(self) -> None:
        while True:
            try:
                while other_threads.is_watched(self._thread, self):
                    other_threads.unwatch(self._thread, self)
                return
            except self._error:  # it rang once more
                pass


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have Python raise that in another thread; None takes back what it has not raised yet."""
    import ctypes  # loads slowly, and only what leaves the main thread needs it

    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
