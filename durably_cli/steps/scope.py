"""Where the names of steps stand: each is used once in its scope, and steps of it do not nest."""

from __future__ import annotations

from threading import get_ident
from types import CodeType, FrameType

from durably_cli.errors import StepMisused
from durably_cli.journal.masking import Secrets
from durably_cli.steps.stop import Stop
from durably_cli.system.process import this
from durably_cli.values.strict_json import is_text

_Place = tuple[CodeType, int]
"""Code, and how far into it, in bytes."""


class Scope:
    """The names that a handler has used, and the step that it is in."""

    def __init__(self, stop: Stop, secrets: Secrets | None) -> None:
        self.running: str | None = None
        """The name of the step that is being performed."""
        self.refused: StepMisused | None = None
        """What was raised in another thread, where the handler did not see it."""
        self._stop, self._secrets = stop, secrets
        self._places: dict[str, _Place] = {}
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
        if get_ident() != self.thread:
            self._refuse_thread(name)
        if self._stop.cause is not None:
            raise self._stop.cause
        if type(name) is not str or not name or not name.isascii():
            name = checked_name(name)
        if self._secrets is not None:
            self._refuse_secret(name, self._secrets)
        if self.running is not None:
            raise StepMisused(
                f"step {name!r} was started inside step {self.running!r}; steps do not nest: "
                "call the function itself, and sh(command) in place of step.sh, or start it after "
                "the outer step"
            )
        code, offset = caller.f_code, caller.f_lasti
        place = self._last_place
        if place[0] is not code or place[1] != offset:  # seldom, in a loop: saves 0.15 us
            place = self._known_places.setdefault((id(code), offset), (code, offset))
            self._last_place = place
        if name in self._places:
            raise self._used_twice(name, place)
        self._places[name] = place
        return name

    def check_process(self) -> None:
        """StepMisused in a child of the process that owns the run."""
        if this.pid != self.process:
            raise self._in_a_child()

    def _in_a_child(self) -> StepMisused:
        return StepMisused(
            f"this process is a child of process {self.process}, which owns the run; "
            "fork inside a step's function, and let the child never use `step`"
        )

    def _refuse_thread(self, name: str) -> None:
        self.refused = StepMisused(
            f"step {name!r} was started from a second thread; start steps from the thread of "
            "the handler, and threads from inside a step"
        )
        raise self.refused

    def _refuse_secret(self, name: str, secrets: Secrets) -> None:
        secret = secrets.held_by(name)
        if secret is not None:
            raise StepMisused(f"the name of a step holds the secret {secret}; give it another one")

    def _used_twice(self, name: str, place: _Place) -> StepMisused:
        places = " and at ".join(dict.fromkeys((_shown(self._places[name]), _shown(place))))
        return StepMisused(
            f"the step name {name!r} is used twice, at {places}; give each step a name of its own, "
            f"such as f{name + '-{item}'!r}"
        )


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
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{code.co_filename}:{next(lines)}"
