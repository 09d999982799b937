"""An exception as the journal keeps it: what the user's code did, without durably's own frames."""

from __future__ import annotations

import os
import traceback

from durably_cli.events import ErrorInfo

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LOADERS = ("<frozen importlib", "<frozen runpy")


def describe(error: BaseException) -> ErrorInfo:
    """The exception's type, message and traceback, causes included, as plain text."""
    report = traceback.TracebackException.from_exception(error, compact=True)
    _drop_our_frames(report)
    try:
        message = str(error)
    except Exception:  # the user's __str__ may do anything
        message = "<its text could not be made>"
    return ErrorInfo(
        type=type(error).__qualname__,
        message=printable(message),
        traceback=printable("".join(report.format()).rstrip()),
    )


def _drop_our_frames(report: traceback.TracebackException) -> None:
    pending, seen = [report], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        theirs = [frame for frame in one.stack if not frame.filename.startswith((_OURS, *_LOADERS))]
        one.stack = traceback.StackSummary.from_list(map(_without_carets, theirs))
        pending += [other for other in (one.__cause__, one.__context__) if other]
        pending += one.exceptions or []


def _without_carets(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """The frame without columns: the carets below a line say little, and wrap where it does."""
    return traceback.FrameSummary(
        frame.filename, frame.lineno, frame.name, line=frame.line, locals=frame.locals
    )


def printable(text: str) -> str:
    """The text with lone surrogates spelled out, so that it can be written."""
    return text.encode("utf-8", "backslashreplace").decode()
