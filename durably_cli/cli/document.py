"""The one JSON document of a command that was called with `--json`, whatever comes of it.

What writes the thing that was asked for leaves its document open. Whoever ends the command closes
it, with `next`, and with `error` exactly if the exit code is not 0.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO, cast

from durably_cli import hints
from durably_cli.error_codes import ErrorCode

if TYPE_CHECKING:
    from durably_cli.render.document_types import Failure

OPTION = "--json"

RETRYABLE = frozenset((69, 75, 124, 129, 130, 143))
"""Exit codes behind which the same may be typed again with nothing mended."""


class _Answer:
    """What this process has said so far to the program that called it."""

    def __init__(self) -> None:
        self.is_wanted = self.is_begun = self.is_closed = False
        self.run: str | None = None
        self.next: tuple[str, ...] = ()
        self.error: Failure | None = None
        self.out: TextIO | None = None


_answer = _Answer()


class _Noting:
    """Writes on, and notes that the document has begun."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        _answer.is_begun = True
        return self._out.write(text)


def expect(args: Sequence[str]) -> None:
    """Note whether these words of a command line ask for a document."""
    global _answer
    _answer = _Answer()
    words = args[: args.index("--")] if "--" in args else args
    _answer.is_wanted = any(word.partition("=")[0] == OPTION for word in words)


def load_writers() -> None:
    """Load what the answer takes: a job may give up its files, its user or its root folder."""
    if _answer.is_wanted:
        import shlex  # noqa: F401

        from durably_cli.render import record, rows  # noqa: F401


def writes_to(stdout: TextIO) -> None:
    """This is the real stdout; what is at its number may be another file."""
    _answer.out = stdout


def on(out: TextIO) -> TextIO:
    """Where to write the document, but for its last brace."""
    return cast(TextIO, _Noting(out))


def about(run_id: str) -> None:
    """Whatever goes wrong from now on is about this run."""
    _answer.run = run_id


def suggest(*commands: str) -> None:
    """What makes sense to type next, if all goes well."""
    _answer.next = commands


def fail(
    code: ErrorCode,
    exit: int,
    message: str,
    hint: str | None = None,
    *,
    waits_for_a_person: bool = False,
) -> None:
    """Note what went wrong, and what to type, for the end of the document."""
    _answer.error = {
        "code": code,
        "exit": exit,
        "message": message,
        "hint": None if hint is None else hints.shown(hint),
        "retryable": exit in RETRYABLE and not waits_for_a_person,
        "run": _answer.run,
        "next": hints.commands_in(hint or ""),
    }


def close() -> None:
    """Write the end of the document, or all of it after an error; once, and if it is wanted."""
    error, is_begun = _answer.error, _answer.is_begun
    if not _answer.is_wanted or _answer.is_closed or not (is_begun or error):
        return
    from durably_cli.render.record import SCHEMA  # only for programs
    from durably_cli.render.rows import json_of

    _answer.is_closed = True
    members = {"next": _answer.next} if error is None else {"error": error, "next": error["next"]}
    rest = json_of(members)
    head = ", " if is_begun else f'{{"schema": {SCHEMA}, '
    out = _answer.out or sys.stdout
    out.write(f"{head}{rest[1:]}\n")
    out.flush()
