"""An exception as the journal keeps it: what the user's code did, without durably's own frames.

Whatever an exception is asked for may run code of the user's, which may raise: its text, its cause,
the lines of a SyntaxError. So each of these can fail, and the rest is shown all the same.
"""

from __future__ import annotations

import os
import traceback

from durably_cli.journal.advice import advice_on
from durably_cli.journal.events import ErrorInfo
from durably_cli.values.strict_json import printable
from durably_cli.values.untrusted import (
    LOADERS,
    OURS,
    class_name,
    safely,
    shown_origin_of,
    text_of,
    traceback_of,
)


def describe(error: BaseException) -> ErrorInfo:
    """The exception's type, message and traceback, causes included, as plain text."""
    report = printable(safely(_report, error) or _plain_report(error))
    return ErrorInfo(
        type=class_name(error),
        message=text_of(error),
        traceback="\n".join(filter(None, (report, advice_on(error)))),
    )


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
        one = shown_origin_of(one)
    return "\n\n".join(map(_plain, reversed(chain)))


_MOST = 100
"""How many exceptions of a chain are shown that Python itself cannot show."""


def _plain(error: BaseException) -> str:
    frames = safely(traceback.extract_tb, traceback_of(error))
    lines = ["Traceback (most recent call last):\n", *_theirs(frames).format()] if frames else []
    name, text = class_name(error), text_of(error)
    return "".join(lines) + (f"{name}: {text}" if text else name)


def _theirs(frames: traceback.StackSummary) -> traceback.StackSummary:
    """The frames that are not durably's own, nor of the event loop that it runs a handler on."""
    theirs, is_ours = list[traceback.FrameSummary](), False
    for frame in frames:
        is_ours = frame.filename.startswith((OURS, *LOADERS)) or (is_ours and _is_of_loop(frame))
        if not is_ours:
            theirs.append(frame)
    return traceback.StackSummary.from_list(map(_without_carets, theirs))


def _is_of_loop(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith((_ASYNCIO, "uvloop/"))


_ASYNCIO = os.path.join(os.path.dirname(os.__file__), "asyncio", "")


def _without_carets(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """The frame without columns: the carets below a line say little, and wrap where it does."""
    return traceback.FrameSummary(
        frame.filename, frame.lineno, frame.name, line=frame.line, locals=frame.locals
    )
