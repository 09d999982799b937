"""The command line: parse, act, render, and end with an exit code of the table.

What a command needs is imported when the command runs: `list` in a shell prompt or a cron line
pays neither for pydantic nor for rich.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import UsageError, app
from durably_cli.cli.exits import end_as
from durably_cli.cli.streams import ensure_open
from durably_cli.values.visible import visible_lines

__all__ = ["main"]


def run_command_line() -> None:
    """Run the command line."""
    ensure_open()
    document.expect(sys.argv[1:])
    end_as(_run)


def _run() -> int:
    """Usage errors show the control characters of what was typed, escaped."""
    if os.environ.get("_DURABLY_COMPLETE"):
        from durably_cli.cli.completion import refuse_odd_question  # only for shells

        refuse_odd_question()
    try:
        return int(app(standalone_mode=False) or 0)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except UsageError as error:
        from durably_cli.cli.usage import usage_error  # only after a typing mistake

        refusal = usage_error(error)
        sys.stderr.write(visible_lines(refusal.text))
        hint = refusal.hint or hints.command(*_words_of(error.ctx), "--help")
        document.fail("usage", int(error.exit_code), error.format_message(), hint)
        document.close()
        return int(error.exit_code)


def _words_of(context: Any) -> list[str]:
    """The command that was called, if one was."""
    return [context.info_name] if context is not None and context.parent else []
