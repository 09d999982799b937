"""INT, TERM and HUP: noted when they arrive, raised as Interrupted where that does no harm.

The first signal raises in the main thread wherever it is, which stops the step it is in; inside
a `shielded` function it waits for the end of that. The second one ends the process at once. A
signal that was ignored when the process started (nohup) stays ignored.

Nothing here is needed for safety: a killed process leaves a run that can be resumed just as well.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from threading import get_ident
from types import FrameType
from typing import TypeVar, TypeVarTuple

from durably_cli.errors import Abort, Interrupted
from durably_cli.system import other_threads

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Noted:
    signum: int | None = None
    shields: int = 0
    raised: bool = False
    left_to_stop: int = 0  # in how many such contexts the main thread is: it raises nothing
    is_forking: bool = False
    brackets: int = 0  # how many pairs of fork hooks are registered
    last_bracket: int = 0  # the pair that closes the shield of this fork
    modules: int = 0  # how many were loaded when the newest pair was registered
    comes_again: bool = False  # is a signal to be raised once the fork is over?
    is_sent_again: bool = False  # has it been sent, so that the next one is not a second one?
    sender: threading.Thread | None = None
    main_thread: int | None = threading.main_thread().ident
    stops: tuple[Callable[[Interrupted], object], ...] = ()
    in_vain: tuple[Callable[[BaseException | None], object], ...] = ()
    on_first: Callable[[], None] | None = None
    before_exit: Callable[[], None] | None = None


_noted = _Noted()
_changing = threading.Lock()


def _nothing() -> None:
    """What is done when a signal comes, if nobody says."""


def install(
    on_first: Callable[[], None] = _nothing, before_exit: Callable[[], None] = _nothing
) -> None:
    """Handle the signals from now on.

    `on_first` is called when the first one arrives, `before_exit` when a second one ends the
    process; both wherever the main thread is, so they may do no more than write to a descriptor.
    """
    _noted.on_first, _noted.before_exit = on_first, before_exit
    sys.unraisablehook = _raised_in_vain
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _handle)


def uninstall() -> None:
    """Let the signals end the process, as they do by default: there is no run any more."""
    if sys.unraisablehook is _raised_in_vain:
        sys.unraisablehook = sys.__unraisablehook__
    _noted.comes_again = False
    if _noted.sender is not None:
        _noted.sender.join()
    for signum in SIGNALS:
        if signal.getsignal(signum) is _handle:
            signal.signal(signum, signal.SIG_DFL)


@contextmanager
def stopping(stop: Callable[[Interrupted], object]) -> Iterator[None]:
    """Inside, `stop` is called with the first signal that arrives, or at once if one has."""
    with _changing:  # by several threads, each with a run of its own
        _noted.stops = (*_noted.stops, stop)
    if _noted.signum is not None:
        stop(Interrupted(_noted.signum))
    try:
        yield
    finally:
        with _changing:
            _noted.stops = tuple(each for each in _noted.stops if each is not stop)


@contextmanager
def left_to_stop() -> Iterator[None]:
    """Inside, a signal is raised nowhere in the main thread: what it calls is left to end that."""
    if get_ident() != _noted.main_thread:
        yield
        return
    _noted.left_to_stop += 1
    try:
        yield
    finally:
        _noted.left_to_stop -= 1


def _forget_after_fork() -> None:
    """A child is not the run's owner: signals do to it what they do to any process."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is _handle:
            is_int = signum == signal.SIGINT
            signal.signal(signum, signal.default_int_handler if is_int else signal.SIG_DFL)
    _noted.signum, _noted.shields, _noted.raised, _noted.left_to_stop = None, 0, False, 0
    _noted.is_forking, _noted.comes_again, _noted.stops = False, False, ()
    _noted.main_thread = threading.get_ident()


os.register_at_fork(after_in_child=_forget_after_fork)


def may_raise() -> bool:
    """Does it no harm if something is raised in the main thread, where that is now?"""
    return not _noted.shields and not _noted.is_forking


def raise_if_stopped() -> None:
    """Raise Interrupted if a signal has arrived, even one whose exception was swallowed."""
    if _noted.signum is None:
        return
    if get_ident() != _noted.main_thread:  # which it is raised in all the same
        raise Interrupted(_noted.signum)
    if may_raise() and not _noted.left_to_stop:
        _noted.raised, _noted.comes_again = True, False
        raise Interrupted(_noted.signum)


Ts = TypeVarTuple("Ts")
R = TypeVar("R")


def shielded(act: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
    """The same function, which finishes whatever signal arrives: that is raised right after it."""

    noted = _noted

    @wraps(act)
    def call(*args: *Ts) -> R:
        if get_ident() != noted.main_thread:  # signals reach only that one
            thread = get_ident()
            if other_threads.is_watched(thread):
                return other_threads.act_shielded(thread, act, *args)
            return act(*args)
        noted.shields += 1
        try:
            done = act(*args)
        finally:
            noted.shields -= 1
        if noted.signum is not None and not noted.raised:
            raise_if_stopped()
        return done

    return call


def shield_forks() -> None:
    """Let no signal be raised in what is done before and after a fork.

    Python passes over what is raised there, and a lock that `logging` would let go stays held. What
    a job registers later, in a module that it imports, is in the shield from the next fork on.
    """
    _noted.brackets += 1
    _noted.modules = len(sys.modules)
    leave = partial(_leave_fork, _noted.brackets)
    os.register_at_fork(before=_enter_fork, after_in_parent=leave)


def _enter_fork() -> None:
    if get_ident() == _noted.main_thread:
        _noted.is_forking = True
        if len(sys.modules) != _noted.modules:  # the newest of hooks is the last of this very fork
            shield_forks()
        _noted.last_bracket = _noted.brackets


def _leave_fork(bracket: int) -> None:
    if get_ident() == _noted.main_thread and bracket == _noted.last_bracket:
        _noted.is_forking = False
        # Python handles signals where something is called, so none is handled before this test.
        if _noted.signum is not None and not _noted.raised and not _noted.shields:
            _let_come_again(_noted.signum)


def _raised_in_vain(unraisable: sys.UnraisableHookArgs, /) -> None:
    """Raise a signal again that a finalizer or a callback got: Python passes over what they raise.

    One is called for each module that is imported.
    """
    if isinstance(unraisable.exc_value, Interrupted) and _noted.signum is not None:
        _noted.raised = False
        _let_come_again(_noted.signum)
    elif isinstance(unraisable.exc_value, Abort):
        for act in _noted.in_vain:
            act(unraisable.exc_value)
    else:
        sys.__unraisablehook__(unraisable)


def when_raised_in_vain(act: Callable[[BaseException | None], object]) -> None:
    """Call this with another exception of durably's that a finalizer or a callback got."""
    _noted.in_vain = (*_noted.in_vain, act)


def _let_come_again(signum: int) -> None:
    _noted.comes_again = True
    _noted.sender = threading.Thread(target=_send_again, args=(signum,), daemon=True)
    _noted.sender.start()


def _send_again(signum: int) -> None:
    """Raise in the main thread what could not be raised where it was, when that is over."""
    time.sleep(_FORK_SECONDS)
    if _noted.comes_again and _noted.main_thread is not None:
        _noted.is_sent_again = True
        signal.pthread_kill(_noted.main_thread, signum)


_FORK_SECONDS = 0.01


def _handle(signum: int, frame: FrameType | None) -> None:
    if frame is not None and frame.f_code is _enter_fork.__code__:  # which has yet to say so
        _noted.is_forking = True
    if _noted.is_sent_again:
        _noted.is_sent_again = False
        if _noted.comes_again and not _noted.raised:
            raise_if_stopped()
        return
    if _noted.signum is not None:
        try:
            if _noted.before_exit is not None:
                _noted.before_exit()
        finally:
            os._exit(128 + signum)
    _noted.signum = signum
    for stop in _noted.stops:
        stop(Interrupted(signum))
    if _noted.on_first is not None:
        _noted.on_first()
    raise_if_stopped()
