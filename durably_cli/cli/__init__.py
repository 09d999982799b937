"""The command line: parse, act, render, and end with an exit code of the table.

What a command needs is imported when the command runs: `list` in a shell prompt or a cron line
pays neither for pydantic nor for rich.
"""

from __future__ import annotations

import sys

import typer

from durably_cli.cli.app import UsageError, app
from durably_cli.cli.exits import end_as
from durably_cli.cli.streams import prepare
from durably_cli.render.words import visible_lines

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    prepare()
    end_as(_run)


def _run() -> int:
    """What is wrong with the words of a command line is told with the words made visible."""
    try:
        return int(app(standalone_mode=False) or 0)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except UsageError as error:
        from durably_cli.cli.suggesting import told  # for who mistypes alone

        sys.stderr.write(visible_lines(told(error)))
        return int(error.exit_code)
