"""What takes dbos itself, besides a worker: its tables, and what only it may change in them."""

from __future__ import annotations

import logging

from dbos import DBOSClient, run_dbos_database_migrations

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.queues import system_url


def make_tables(database: RunDatabase) -> None:
    """Make, or bring up to date, the tables of DBOS and of durably."""
    database.row("select 1")  # is it there?
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    run_dbos_database_migrations(system_database_url=system_url(database.url))
    database.make_tables()


def cancel_workflow(url: str, run_id: str) -> None:
    """Take a run out of its queue for good."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    client = DBOSClient(system_database_url=system_url(url))
    try:
        client.cancel_workflow(run_id)
    finally:
        client.destroy()
