"""The command line: parse, act, render, and end with an exit code of the table.

What a command needs is imported when the command runs: `list` in a shell prompt or a cron line
pays neither for pydantic nor for rich.
"""

from __future__ import annotations

from durably_cli.cli import looking, project, running
from durably_cli.cli.app import app
from durably_cli.ending import end_as
from durably_cli.streams import prepare

__all__ = ["looking", "main", "project", "running"]


def main() -> None:
    """Run the command line."""
    prepare()
    end_as(app)
