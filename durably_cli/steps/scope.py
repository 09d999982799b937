"""Where the names of steps stand: each is used once in its scope, and steps of it do not nest.

Several threads of a handler may be in a step each. Which of them a thread is in, its context says;
a thread that was started from there has no context of it, so a mark says it.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
import time
from contextvars import Context, ContextVar, copy_context
from threading import get_ident
from types import CodeType, FrameType
from typing import NamedTuple

from durably_cli.errors import RunEnded, StepMisused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_names import ItemName, in_scope, map_of
from durably_cli.steps.idle import Idle
from durably_cli.steps.item_keys import ItemKeys
from durably_cli.steps.stop import Stop
from durably_cli.system.process import this
from durably_cli.values.strict_json import is_text

_Place = tuple[CodeType, int]
"""Code, and how far into it, in bytes."""


class Inside(NamedTuple):
    """A step that is being performed, in a run that perhaps a step of another one has triggered."""

    scope: Scope
    name: str
    outer: Inside | None
    handled: BaseException | None = None
    """What was handled where the step was asked for, if it began elsewhere."""


_inside: ContextVar[Inside | None] = ContextVar("durably_inside", default=None)
_handled: ContextVar[BaseException | None] = ContextVar("durably_handled", default=None)
"""What was handled where a map was asked for whose items this task performs."""

_OF_THREAD = "_durably_inside"
"""The attribute of a thread that says in which step it was started, if in any."""

_UNKNOWN = object()
_LIBRARY = os.path.dirname(threading.__file__)

_LOOKS_SECONDS = 0.05


class Scope:
    """The names that a handler has used, and the steps that its threads are in."""

    def __init__(self, stop: Stop, secrets: Secrets | None) -> None:
        self.in_flight = dict[str, None]()
        """The names of the steps that are being performed, in any thread."""
        self.idle = Idle(self.in_flight)
        self.refused: StepMisused | None = None
        """What was raised in another thread, where the handler may not have seen it."""
        self._stop, self._secrets = stop, secrets
        self.prefix: str | None = None
        """The name of the scope, if it is not that of the handler itself."""
        self._root, self._has_ended = self, False
        self._naming = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._items = ItemKeys()
        self._known_places: dict[tuple[int, int], _Place] = {}
        self._last_place: _Place = (Scope.__init__.__code__, -1)
        self.process, self.thread = this.pid, get_ident()
        """Those of the handler."""

    def enter(self, name: str, caller: FrameType) -> str:
        """A step of this name begins, asked for there; the name as a plain text.

        StepMisused if it may not.
        """
        if this.pid != self.process:
            raise self._in_a_child()
        if self._stop.cause is not None:
            self._stop.check()
        if self._root._has_ended:
            raise RunEnded(
                f"step {name!r} was asked for when the handler had ended: let it wait for the "
                "threads and tasks that it starts"
            )
        if type(name) is not str or not name or not name.isascii():
            name = checked_name(name)
        if self._secrets is not None:
            self._refuse_secret(name, self._secrets)
        if _inside.get() is not None:
            self._refuse_nested(name, _inside.get())
        code, offset = caller.f_code, caller.f_lasti
        place = self._last_place
        if place[0] is not code or place[1] != offset:  # seldom, in a loop: saves 0.15 us
            place = self._known_places.setdefault((id(code), offset), (code, offset))
            self._last_place = place
        if self.prefix is not None:
            name = in_scope(self.prefix, name)
        with self._naming:  # two threads may be about to use the same one
            before = self._places.get(name)
            if before is None and self._items and (of := self._items.map_with(name)) is not None:
                before = self._places[of]
            if before is None:
                self._places[name] = place
        if before is not None:
            raise self._misused(self._used_twice(name, before, place))
        return name

    def take(self, name: ItemName, key: object, text: str) -> bool:
        """Take the name of an item, whose key reads so; False if something has it already.

        StepMisused if a secret is in it, as for every name.
        """
        if self._secrets is not None:
            self._refuse_secret(name, self._secrets)
        with self._naming:
            return name not in self._places and self._items.add(name, key, text)

    def whole(self, name: str) -> str:
        """The name of a step of this scope."""
        return name if self.prefix is None else in_scope(self.prefix, name)

    def place_of(self, name: str) -> str:
        """The file and line where the step of this whole name was asked for."""
        return _shown(self._places[name])

    def within(self, scope: str) -> Scope:
        """The scope of this whole name, of the same handler."""
        found = copy.copy(self)
        found.prefix = scope
        return found

    def begin(self, name: str, handled: BaseException | None = None) -> None:
        """This thread, or task, is in a step of this name from now on."""
        self.in_flight[name] = None
        # As Inside(...) makes it, without a call of Python code in between: saves 0.2 us.
        _inside.set(tuple.__new__(Inside, (self, name, _inside.get(), handled)))

    def end(self, name: str) -> None:
        """The step that this thread, or task, was in has come to its end."""
        inside = _inside.get()
        if inside is not None and inside.name == name:  # else another one drops a coroutine of it
            _inside.set(inside.outer)
        self.in_flight.pop(name, None)

    @property
    def running(self) -> str | None:
        """The name of the step that this thread is in, or was started from; None if it is in none.

        Of a thread that neither the handler nor a step has started, it is the only one there is.
        """
        inside = _inside.get()
        while inside is not None:
            if inside.scope is self._root and inside.name in self.in_flight:
                return inside.name
            inside = inside.outer
        if get_ident() == self.thread:
            return None
        started_in = getattr(threading.current_thread(), _OF_THREAD, _UNKNOWN)
        if started_in is _UNKNOWN:
            return self.only_one()
        if isinstance(started_in, Inside) and started_in.scope is self._root:
            return started_in.name if started_in.name in self.in_flight else None
        return None

    def only_one(self, *, besides: str | None = None) -> str | None:
        """The step that is being performed, if it is one and no more."""
        found = [name for name in list(self.in_flight) if name != besides]
        return found[0] if len(found) == 1 else None

    def refuse_more(self) -> None:
        """The handler has ended: RunEnded for who asks for a step."""
        self._root._has_ended = True

    def close(self) -> None:
        """The handler has ended: no step begins any more. Return when those in flight have ended.

        When the attempt is stopped they have a moment.
        """
        self.refuse_more()
        end = None
        while self.in_flight:
            if self._stop.cause is not None:
                end = end or time.monotonic() + self._stop.patience
                if time.monotonic() > end:
                    return
            time.sleep(_LOOKS_SECONDS)

    def check_process(self) -> None:
        """StepMisused in a child of the process that owns the run."""
        if this.pid != self.process:
            raise self._in_a_child()

    def _in_a_child(self) -> StepMisused:
        return StepMisused(
            f"this process is a child of process {self.process}, which owns the run; "
            "fork inside a step's function, and let the child never use `step`"
        )

    def _refuse_nested(self, name: str, inside: Inside | None) -> None:
        while inside is not None:
            if inside.scope is self._root and inside.name in self.in_flight:
                instead = "start it after the outer step"
                if map_of(inside.name) is not None:
                    instead = "use step.for_each, whose items may have steps"
                raise StepMisused(
                    f"step {name!r} was started inside step {inside.name!r}; steps do not nest: "
                    f"call the function itself, and sh(command) in place of step.sh, or {instead}"
                )
            inside = inside.outer

    def _misused(self, error: StepMisused) -> StepMisused:
        """The same; in another thread than the handler's, that is to fail the run all the same."""
        if get_ident() != self.thread:
            self._root.refused = error
        return error

    def _refuse_secret(self, name: str, secrets: Secrets) -> None:
        secret = secrets.held_by(name)
        if secret is not None:
            raise StepMisused(f"the name of a step holds the secret {secret}; give it another one")

    def _used_twice(self, name: str, before: _Place, place: _Place) -> StepMisused:
        places = " and at ".join(dict.fromkeys((_shown(before), _shown(place))))
        return StepMisused(
            f"the step name {name!r} is used twice, at {places}; give each step a name of its own, "
            f"such as f{name + '-{item}'!r}"
        )


def inside_of(process: int) -> Inside | None:
    """The step of this process that this thread is in, or was started from, and that still runs."""
    found: Inside | None = _inside.get() or getattr(threading.current_thread(), _OF_THREAD, None)
    if found is None or found.scope.process != process:
        return None
    return found if found.name in found.scope.in_flight else None


def being_handled() -> BaseException | None:
    """The exception that is handled where a step is asked for; in a thread, by the handler."""
    if (here := sys.exception()) is not None:
        return here
    found = inside = _inside.get()
    while inside is not None:
        if inside.handled is not None:
            return inside.handled
        inside = inside.outer
    here = _handled.get()
    if here is not None or found is None or found.scope.thread == get_ident():
        return here
    handled = sys._current_exceptions().get(found.scope.thread)
    return handled[1] if isinstance(handled, tuple) else handled  # as up to Python 3.11


def context_of_items() -> Context:
    """That of tasks which perform the items of a map: they are in no step yet."""
    handled, inside, context = being_handled(), _inside.get(), copy_context()
    context.run(_inside.set, inside and inside.outer)
    context.run(_handled.set, handled)
    return context


def mark_thread(thread: threading.Thread) -> None:
    """Note from where a thread is started: in which step, if in any."""
    started_in = getattr(threading.current_thread(), _OF_THREAD, None)
    setattr(thread, _OF_THREAD, _inside.get() or started_in)


def checked_name(name: str) -> str:
    """The name of a step as a plain text. StepMisused if it cannot be one."""
    if type(name) is not str and isinstance(name, str):  # an enum's, or of a class that lies
        name = str.__str__(name)
    if not isinstance(name, str) or not name or not (name.isascii() or is_text(name)):
        raise _no_name(name)
    return name


def _no_name(given: object) -> StepMisused:
    what = f"a step's name must be a text that is not empty, not {given!r}"
    if callable(given):
        called = getattr(given, "__name__", "f")
        what += f"; the name comes before the function: step.run({called!r}, {called}, ...)"
    return StepMisused(what)


def _shown(place: _Place) -> str:
    code, offset = place
    if code.co_filename.startswith(_LIBRARY):  # of a thread, or of a pool of them
        return "a thread"
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{code.co_filename}:{next(lines)}"
