"""Asking a person before something is done that cannot be undone."""

from __future__ import annotations

import sys

from durably_cli.errors import UsageError


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go on: as was said beforehand, else as the person at the terminal says.

    UsageError where nobody can be asked.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody can be asked here", hint="add --yes, if you are sure")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
