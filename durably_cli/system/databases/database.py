"""What a step asks of a database, whichever it is, and of which kind a connection is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple, Protocol, TypeAlias

Connect: TypeAlias = "str | os.PathLike[str] | Callable[[], Any]"
"""The path of a SQLite file, or what gives a new connection of `sqlite3` or `psycopg`."""

TABLE = "durably_steps"


class StepRow(NamedTuple):
    """Which step a row is of; `generation` counts how often its result was discarded before."""

    run: str
    step: str
    generation: int


class UnknownConnection(TypeError):
    """A connection that is of no known kind, or in no state to begin a transaction."""


class NotItsOwn(Exception):
    """The function has ended the transaction that it was called in, or has tried to."""


class Database(Protocol):
    """A connection, in which one transaction is made."""

    @property
    def connection(self) -> Any:
        """What the user's function is given."""

    def prepare(self) -> None:
        """Have it write durably, and make the table if it is not there."""

    def transaction(self) -> AbstractContextManager[None]:
        """Inside is one transaction: committed at the end, rolled back after an exception.

        NotItsOwn if it is not the same one any more.
        """

    def insert(self, row: StepRow) -> bool:
        """Insert the row, without a result; False if it is there."""

    def result_of(self, row: StepRow) -> str | None:
        """The result that the row has; None if it has none, or is not there."""

    def write(self, row: StepRow, result: str, at: str) -> None:
        """Write the row's result. NotItsOwn if it is not there any more."""

    def close(self) -> None:
        """Close the connection."""


def database_of(connect: Connect) -> Database:
    """A new connection. UnknownConnection, or whatever the user's function raises."""
    if isinstance(connect, (str, os.PathLike)):
        from durably_cli.system.databases.sqlite import Sqlite  # only whom it is asked of

        return Sqlite.at(connect)
    if not callable(connect):
        raise UnknownConnection(
            "a database is the path of a SQLite file, or a function that gives a connection, not a "
            f"value of type {type(connect).__qualname__}"
        )
    connection = connect()
    for module, name in _KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(connection, kind):
            return _database(module, connection)
    kind = type(connection)
    with suppress(Exception):
        connection.close()
    raise UnknownConnection(
        f"a connection of sqlite3 or psycopg is needed, not {kind.__module__}.{kind.__qualname__}"
    )


def _database(module: str, connection: Any) -> Database:
    if module == "sqlite3":
        from durably_cli.system.databases.sqlite import Sqlite

        return Sqlite(connection)
    from durably_cli.system.databases.postgresql import Postgresql

    return Postgresql(connection)


_KINDS = (("sqlite3", "Connection"), ("psycopg", "Connection"))
