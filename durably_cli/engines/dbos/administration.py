"""What takes dbos itself, besides a worker: its tables, and what only it may change in them."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr, redirect_stdout

from dbos import DBOSClient, run_dbos_database_migrations

from durably_cli.engines.dbos.database import RunDatabase, masked
from durably_cli.engines.dbos.queues import system_url
from durably_cli.errors import Forbidden


def make_tables(database: RunDatabase) -> None:
    """Make, or bring up to date, the tables of DBOS and of durably."""
    database.row("select 1")  # is it there?
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            run_dbos_database_migrations(system_database_url=system_url(database.url))
    except Exception as error:  # it wants to leave the process, and has printed why
        said = next(iter(str(error.__cause__ or error.__context__ or error).splitlines()), "")
        where = masked(database.url)
        what = f"the tables of DBOS cannot be made in {where}: {said or type(error).__name__}"
        raise Forbidden(what, hint="a role that may create schemas there, on no standby") from None
    database.make_tables()


def cancel_workflow(url: str, run_id: str) -> None:
    """Take a run out of its queue for good."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    client = DBOSClient(system_database_url=system_url(url))
    try:
        client.cancel_workflow(run_id)
    finally:
        client.destroy()
