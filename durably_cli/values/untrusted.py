"""Objects and exceptions of the user's code, asked for what they are: each may raise, or lie."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from durably_cli import version
from durably_cli.errors import Abort
from durably_cli.values.strict_json import printable

T = TypeVar("T")
R = TypeVar("R")

OURS = os.path.dirname(os.path.abspath(version.__file__)) + os.sep
"""The folder of durably's own code."""

LOADERS = ("<frozen importlib", "<frozen runpy")
"""What the files of Python's own code that loads modules begin with."""

_TRACEBACK = BaseException.__dict__["__traceback__"].__get__
_CAUSE = BaseException.__dict__["__cause__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__
_VARIABLES = BaseException.__dict__["__dict__"].__get__
_MEMBERS = BaseExceptionGroup.__dict__["exceptions"].__get__
_HIDES_CONTEXT = BaseException.__dict__["__suppress_context__"].__get__
"""What every exception has, past what a class of exceptions makes of these names."""


def origins_of(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Its cause, and what was handled when it was raised."""
    return _CAUSE(error), _CONTEXT(error)


def origin_of(error: BaseException) -> BaseException | None:
    """What this one came from: its cause, else what was handled when it was raised."""
    cause, context = origins_of(error)
    found: BaseException | None = context if cause is None else cause
    return found


def shown_origin_of(error: BaseException) -> BaseException | None:
    """The same, unless it was raised `from None`."""
    cause: BaseException | None = _CAUSE(error)
    return cause if _HIDES_CONTEXT(error) else origin_of(error)


def traceback_of(error: BaseException) -> TracebackType | None:
    """Its traceback, past what its class makes of the name."""
    found: TracebackType | None = _TRACEBACK(error)
    return found


def variables_of(error: BaseException) -> dict[str, Any]:
    """Its own attributes, past what its class makes of them."""
    found: dict[str, Any] = _VARIABLES(error)
    return found


def members_of(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group; of any other one there are none."""
    is_group = issubclass(type(error), BaseExceptionGroup)  # isinstance asks its `__class__`
    members: tuple[BaseException, ...] = _MEMBERS(error) if is_group else ()
    return members


def all_of(error: BaseException) -> Iterator[BaseException]:
    """This one, and those that it came from or groups, the nearest first."""
    seen, pending = set[int](), deque([error])
    while pending:
        one = pending.popleft()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += (each for each in (*origins_of(one), *members_of(one)) if each is not None)


def add_note(error: BaseException, note: str) -> None:
    """Show this line below the text of an exception, once."""
    variables = variables_of(error)
    notes = dict.get(variables, "__notes__")
    notes = notes if isinstance(notes, list) else []
    if note not in notes:
        dict.__setitem__(variables, "__notes__", [*notes, note])


def files_of(error: BaseException) -> Iterator[str]:
    """The files of the code that it came through, the innermost last."""
    step = traceback_of(error)
    while step is not None:
        yield step.tb_frame.f_code.co_filename
        step = step.tb_next


def is_all_of_durably(error: BaseException) -> bool:
    """Did it come through durably's own code, and through none that durably called?"""
    return all(file.startswith(OURS) for file in files_of(error))


def raised_by_the_user(error: BaseException) -> BaseException | None:
    """What code of a model raised, as it was, if this is that or came of it; None if none did.

    The code that a dataclass is given is in no file.
    """
    cause = _CAUSE(error)
    raised: BaseException = error if cause is None else cause
    pydantic = getattr(sys.modules.get("pydantic"), "__file__", None)
    others = (OURS, *LOADERS, "<string>")
    others += (os.path.dirname(pydantic) + os.sep,) if pydantic else ()
    return raised if any(not file.startswith(others) for file in files_of(raised)) else None


def class_name(error: BaseException) -> str:
    """The name of its class."""
    return printable(type.__dict__["__qualname__"].__get__(type(error)))


def class_path(error: BaseException) -> str:
    """Where its class is: the module, a colon, and the name in it."""
    module = safely(lambda raised: type(raised).__module__, error)
    return printable(f"{module if isinstance(module, str) else '?'}:{class_name(error)}")


def text_of(value: object) -> str:
    """The value as text that can be written, whatever its `__str__` does."""
    return _made_by(str, value, "text")


def repr_of(value: object) -> str:
    """The value as Python writes it, as text that can be written, whatever its `__repr__` does."""
    return _made_by(repr, value, "repr")


def _made_by(make: Callable[[object], str], value: object, what: str) -> str:
    text = safely(make, value)
    if text is None:
        kind = type.__dict__["__qualname__"].__get__(type(value))
        return printable(f"<a {kind} whose {what} fails>")
    return printable(text)


_SIGNALS = "durably_cli.system.signals"


def safely(make: Callable[[T], R], value: T) -> R | None:
    """What code of the user's gives; None if it raises anything.

    Only a KeyboardInterrupt that may be a Ctrl-C passes through. Under durably's own handler none
    is: there Ctrl-C raises an Abort, which passes through as well.
    """
    try:
        return make(value)
    except Abort:
        raise
    except KeyboardInterrupt:
        handler = signal.getsignal(signal.SIGINT)
        if getattr(handler, "__module__", None) != _SIGNALS:
            raise
        return None
    except BaseException:
        return None
