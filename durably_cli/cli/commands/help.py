"""`durably help`: the pages about a topic."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command
from durably_cli.cli.completion import complete_topics
from durably_cli.cli.help import run_help


@as_command("help")
def help_(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", autocompletion=complete_topics)
    ] = None,
) -> int:
    """Explain a topic, such as jobs, steps, testing or deploying.

    Topics: jobs, steps, input, testing, deploying, cron, environment, modules,
    exit-codes, journal, care, durability, performance, agents.

    \b
    Examples:
      durably help steps
      durably help exit-codes
    """
    return run_help(topic)
