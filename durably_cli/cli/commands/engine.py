"""`durably engine`: make the tables of the engine dbos, or say how it is."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say


class Action(StrEnum):
    """What is to be done."""

    INIT = "init"
    STATUS = "status"


@as_command()
def engine(
    context: typer.Context,
    action: Annotated[
        Action, typer.Argument(help="init makes its tables, status shows its workers and queues.")
    ],
) -> int:
    """Make the tables of the engine dbos, or show its workers and queues.

    Of a project with engine = "dbos". `init` makes, or brings up to date, what DBOS and durably
    have in the database, in schemas of their names; twice does no harm. `status` prints a line of
    tab-separated cells for the server, each worker (worker, id, alive or gone, host, slots, jobs)
    and each job with runs that are queued or executed (job, name, queued, executed).

    \b
    Examples:
      durably engine init
      durably engine status
    """
    return run_engine(project_of(context), action)


def run_engine(project: Path, action: Action) -> int:
    """`durably engine`; the exit code."""
    from durably_cli.engines.dbos.database import masked
    from durably_cli.project.engine import require_engine_of_workers
    from durably_cli.render.rows import row

    found = require_engine_of_workers(project, f"engine {action}")
    if action is Action.INIT:
        from durably_cli.engines.dbos.administration import make_tables

        make_tables(found.database)
        say(f"{masked(found.database.url)} has what durably and DBOS need")
        return 0
    from durably_cli.engines.dbos.census import census

    for line in census(found.database):
        sys.stdout.write(row(*line))
    return 0
