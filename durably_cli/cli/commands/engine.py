"""`durably engine`: make the tables of the engine dbos, or say how it is."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say, say_hint
from durably_cli.cli.parameters import AsJson
from durably_cli.errors import DurablyError, UsageError
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine


class Action(StrEnum):
    """What is to be done."""

    INIT = "init"
    STATUS = "status"


@as_command()
def engine(
    context: typer.Context,
    action: Annotated[
        Action,
        typer.Argument(
            metavar="init|status",
            help="init makes its tables, status shows its workers and queues.",
        ),
    ],
    carry_keys: Annotated[
        bool,
        typer.Option(
            "--carry-keys",
            help="With init: idempotency keys of this machine are used ones there, too.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Make the tables of the engine dbos, or show its workers and queues.

    Of a project with engine = "dbos". `init` makes, or brings up to date, what DBOS and durably
    have in the database, in schemas of their names; twice does no harm. With --carry-keys the
    idempotency keys of this machine's runs stand in it for runs that are here, so that nothing is
    done twice: see `durably help engines`. `status` prints, in a pipe, a line of tab-separated
    cells for the server, each worker and each job with runs that have not ended: how many wait for
    a worker, are running, and wait for something else.

    \b
    Examples:
      durably engine init
      durably engine init --carry-keys
      durably engine status
      durably engine status --json | jq '.engine.workers[] | select(.alive | not)'
    """
    if carry_keys and action is not Action.INIT:
        hint = hints.command("engine", "init", "--carry-keys")
        raise UsageError("--carry-keys is of engine init", hint=hint)
    return run_engine(project_of(context), action, carries=carry_keys, as_json=as_json)


def run_engine(project: Path, action: Action, *, carries: bool, as_json: bool) -> int:
    """`durably engine`; the exit code."""
    from durably_cli.engines.dbos.database import masked
    from durably_cli.project.engine import require_engine_of_workers

    found = require_engine_of_workers(project, f"engine {action}")
    if action is Action.INIT:
        from durably_cli.engines.dbos.administration import make_tables

        make_tables(found.database)
        say(f"{masked(found.database.url)} has what durably and DBOS need")
        _say_carried(project, found) if carries else _say_of_keys(project, found)
        if not as_json:
            return 0
    from durably_cli.engines.dbos.census import census_of
    from durably_cli.render.census import draw_census, write_census, write_census_json

    census = census_of(found.database)
    if as_json:
        if not census.workers:
            document.suggest(hints.command("worker"))
        write_census_json(census, document.on(sys.stdout))
    elif sys.stdout.isatty():
        draw_census(census, sys.stdout)
    else:
        write_census(census, sys.stdout)
    return 0


def _say_carried(project: Path, engine: DbosEngine) -> None:
    from durably_cli.project.carrying import carry_keys

    found = carry_keys(project, engine)
    before = f"; the database knows {found.known:,} already" if found.known else ""
    say(f"{plural(found.carried, 'idempotency key')} of this machine carried{before}")
    for path in found.unreadable:
        say(f"the claim {path} cannot be read, and is not carried")


def _say_of_keys(project: Path, engine: DbosEngine) -> None:
    """Warn of keys whose work a trigger would have done again."""
    from durably_cli.project.carrying import young_keys

    try:
        many = young_keys(project, engine)
    except DurablyError:  # there is nothing of this project here
        return
    if many:
        say(
            f"{plural(many, 'idempotency key')} of the last day on this machine: the database does "
            "not know them, and what is triggered with them there is done again"
        )
        say_hint(hints.command("engine", "init", "--carry-keys"))
