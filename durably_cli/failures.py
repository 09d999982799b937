"""An exception as the journal keeps it: what the user's code did, without durably's own frames.

Whatever an exception is asked for may run code of the user's, which may raise: its text, its cause,
the lines of a SyntaxError. So each of these can fail, and the rest is shown all the same.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from durably_cli.errors import Abort
from durably_cli.events import ErrorInfo
from durably_cli.strict import printable

T = TypeVar("T")
R = TypeVar("R")

OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LOADERS = ("<frozen importlib", "<frozen runpy")
_TRACEBACK = BaseException.__dict__["__traceback__"].__get__
_CAUSE = BaseException.__dict__["__cause__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__
_HIDES_CONTEXT = BaseException.__dict__["__suppress_context__"].__get__
"""What every exception has, past what a class of exceptions makes of these names."""


def describe(error: BaseException) -> ErrorInfo:
    """The exception's type, message and traceback, causes included, as plain text."""
    return ErrorInfo(
        type=type_name(error),
        message=text_of(error),
        traceback=printable(_safely(_report, error) or _plain_report(error)),
    )


def origin_of(error: BaseException) -> BaseException | None:
    """What this one came from: its cause, else what was handled when it was raised."""
    cause, context = _CAUSE(error), _CONTEXT(error)
    found: BaseException | None = context if cause is None else cause
    return found


def traceback_of(error: BaseException) -> TracebackType | None:
    """Its traceback, past what its class makes of the name."""
    found: TracebackType | None = _TRACEBACK(error)
    return found


def files_of(error: BaseException) -> Iterator[str]:
    """The files of the code that it came through, the innermost last."""
    step = traceback_of(error)
    while step is not None:
        yield step.tb_frame.f_code.co_filename
        step = step.tb_next


def is_all_of_durably(error: BaseException) -> bool:
    """Did it come through durably's own code alone, and through no code that durably called?"""
    return all(file.startswith(OURS) for file in files_of(error))


def raised_by_the_user(error: BaseException) -> BaseException | None:
    """What code of a model raised, as it was, if this is that or came of it; None if none did.

    The code that a dataclass is given is in no file.
    """
    cause = _CAUSE(error)
    raised: BaseException = error if cause is None else cause
    pydantic = getattr(sys.modules.get("pydantic"), "__file__", None)
    others = (OURS, *_LOADERS, "<string>")
    others += (os.path.dirname(pydantic) + os.sep,) if pydantic else ()
    return raised if any(not file.startswith(others) for file in files_of(raised)) else None


def type_name(error: BaseException) -> str:
    """The name of its class."""
    return printable(type.__dict__["__qualname__"].__get__(type(error)))


def text_of(value: object) -> str:
    """The value as text that can be written, whatever its `__str__` does."""
    return _made_by(str, value, "text")


def repr_of(value: object) -> str:
    """The value as Python writes it, as text that can be written, whatever its `__repr__` does."""
    return _made_by(repr, value, "repr")


def _made_by(make: Callable[[object], str], value: object, what: str) -> str:
    text = _safely(make, value)
    if text is None:
        kind = type.__dict__["__qualname__"].__get__(type(value))
        return printable(f"<a {kind} whose {what} fails>")
    return printable(text)


def _safely(make: Callable[[T], R], value: T) -> R | None:
    """What code of the user's gives; None if it raises anything.

    A KeyboardInterrupt is its own where durably sees to signals, for then Ctrl-C is an Abort.
    """
    try:
        return make(value)
    except Abort:
        raise
    except KeyboardInterrupt:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be a Ctrl-C
            raise
        return None
    except BaseException:
        return None


def _report(error: BaseException) -> str:
    """All of it, as Python shows it."""
    report = traceback.TracebackException.from_exception(error, compact=True)
    _drop_our_frames(report)
    return "".join(report.format()).rstrip()


def _drop_our_frames(report: traceback.TracebackException) -> None:
    pending, seen = [report], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = _theirs(one.stack)
        pending += [other for other in (one.__cause__, one.__context__) if other]
        pending += one.exceptions or []


def _plain_report(error: BaseException) -> str:
    """Of one that Python cannot show: the frames and the text of it, and of those it came from."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and not any(one is seen for seen in chain) and len(chain) < _MOST:
        chain.append(one)
        one = _CAUSE(one) if _HIDES_CONTEXT(one) else origin_of(one)
    return "\n\n".join(map(_plain, reversed(chain)))


_MOST = 100
"""How many exceptions of a chain are shown that Python itself cannot show."""


def _plain(error: BaseException) -> str:
    frames = _safely(traceback.extract_tb, _TRACEBACK(error))
    lines = ["Traceback (most recent call last):\n", *_theirs(frames).format()] if frames else []
    name, text = type_name(error), text_of(error)
    return "".join(lines) + (f"{name}: {text}" if text else name)


def _theirs(frames: traceback.StackSummary) -> traceback.StackSummary:
    """The frames that are not durably's own."""
    theirs = [frame for frame in frames if not frame.filename.startswith((OURS, *_LOADERS))]
    return traceback.StackSummary.from_list(map(_without_carets, theirs))


def _without_carets(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """The frame without columns: the carets below a line say little, and wrap where it does."""
    return traceback.FrameSummary(
        frame.filename, frame.lineno, frame.name, line=frame.line, locals=frame.locals
    )
