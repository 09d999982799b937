"""A loop that stands still is noticed: an async function blocks it, and with it all other steps.

It costs no step anything. Who looks after the attempt has the loop call back, and sees at one of
the next looks, four a second, that it has not. Looks are counted, and no seconds: a process may
have been stopped meanwhile, or a laptop closed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from types import FrameType

from durably_cli.errors import Abort
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.values.untrusted import OURS

_LOOKS = 5
"""How often nothing is heard of the loop until that is said: for more than a second."""

_OF_STEPS = (LoopDriver._done.__code__, LoopDriver.outcome_of.__code__)
"""The code that performs a step, which knows its name."""

_LIBRARIES = (os.path.dirname(threading.__file__), OURS)


class HeldUp:
    """Sees whether the loop of this thread goes on, and says once where it does not."""

    def __init__(self, driver: LoopDriver, say: Callable[[str, str | None], object]) -> None:
        self._driver, self._say = driver, say
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._asked = self._answered = self._unheard = 0
        self._is_said = False

    def look(self) -> None:
        """Called by another thread, again and again."""
        if self._answered == self._asked:
            self._asked, self._unheard = self._asked + 1, 0
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._answer, self._asked)
            return
        self._unheard += 1
        if self._unheard < _LOOKS or self._is_said or not self._driver.scope.in_flight:
            return
        name, place = _found(sys._current_frames().get(self._thread))
        if place:  # else it is no code of the user's, as where a disk is slow
            self._is_said = True
            start_new_thread(self._tell, (name, place))  # it may wait for a lock of the loop's

    def _answer(self, asked: int) -> None:
        self._answered = asked

    def _tell(self, name: str | None, place: str) -> None:
        who = (
            "the event loop is held up" if name is None else f"step {name} holds up the event loop"
        )
        text = (
            f"{who}, at {place}: no other step goes on meanwhile; what blocks belongs in a plain "
            "function, which a step calls in a thread, or in asyncio.to_thread"
        )
        with suppress(Exception, Abort):  # the attempt has ended meanwhile
            self._say(text, name)


def _found(frame: FrameType | None) -> tuple[str | None, str]:
    """The step whose function the thread is in, if it is in one, and the user's line there."""
    place = ""
    while frame is not None and frame.f_code not in _OF_STEPS:
        file = frame.f_code.co_filename
        if not place and not file.startswith(_LIBRARIES) and "site-packages" not in file:
            place = f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return None if frame is None else str(frame.f_locals["operation"].name), place
