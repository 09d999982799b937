"""The command line: parse, act, render, and end with an exit code of the table.

What a command needs is imported when the command runs: `list` in a shell prompt or a cron line
pays neither for pydantic nor for rich.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

import typer

from durably_cli import hints, program
from durably_cli.cli import document
from durably_cli.cli.app import UsageError, app
from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.exits import end_as
from durably_cli.cli.streams import ensure_open
from durably_cli.values.visible import visible_lines

__all__ = ["main"]


def run_command_line() -> None:
    """Run the command line."""
    ensure_open()
    document.expect(sys.argv[1:])
    end_as(_run)


def run_script(project: Path, job: str, jobs: Set[str], starter: Iterable[str]) -> None:
    """Run the command line of a script that runs this job, of these that it has, and leave.

    Its words are a command of durably and what that takes, or else what `trigger` takes.
    """
    program.started_as(project, job, starter)
    command, *words = sys.argv[1:] or ["trigger"]
    if command not in COMMANDS and command not in _OF_NO_COMMAND:
        command, words = "trigger", sys.argv[1:]
    if command == "trigger" and not jobs & {*words[:1]}:
        words.insert(0, job)
    if f"_{os.path.basename(sys.argv[0])}_COMPLETE".replace("-", "_").upper() in os.environ:
        from durably_cli.cli.completion import ask_for_script  # only for shells

        ask_for_script(os.fspath(project), job)
    sys.argv[1:] = ["-C", os.fspath(project), command, *words]
    run_command_line()


_OF_NO_COMMAND = ("--version", "--install-completion", "--show-completion")
"""What stands before the commands."""


def _run() -> int:
    """Usage errors show the control characters of what was typed, escaped."""
    if os.environ.get("_DURABLY_COMPLETE"):
        from durably_cli.cli.completion import refuse_odd_question  # only for shells

        refuse_odd_question()
    if sys.argv[-2:-1] == ["--show-completion"]:  # typer looks only which shell has called
        from durably_cli.cli.completion import show_script  # rarely asked for

        return show_script(sys.argv[-1])
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
