"""`durably help`: the pages about a topic."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from durably_cli.cli import document
from durably_cli.cli.app import as_command
from durably_cli.cli.completion import complete_topics
from durably_cli.cli.help import page, run_help
from durably_cli.cli.parameters import AsJson


@as_command("help")
def help_(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", autocompletion=complete_topics)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Explain a topic, such as jobs, steps, testing or deploying.

    Topics: jobs, scripts, steps, many, async, tries, transactions, programs, waiting, replay,
    again, input, testing, deploying, cron, notices, environment, modules, exit-codes, journal,
    care, durability, engines, performance, agents. With --json and no topic: every command, its
    arguments and options.

    \b
    Examples:
      durably help steps
      durably help exit-codes
      durably help --json
    """
    if not as_json:
        return run_help(topic)
    from durably_cli.cli.describing import described  # only for programs
    from durably_cli.render.rows import write_json

    members = described(context) if topic is None else {"topic": topic, "text": page(topic)}
    write_json(members, document.on(sys.stdout))
    return 0
