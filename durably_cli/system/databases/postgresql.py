"""PostgreSQL, by a connection of `psycopg` (3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from durably_cli.system.databases.database import TABLE, NotItsOwn, StepRow, UnknownConnection

_LOCK = 6_204_831_590_271
"""A number of ours: who holds it makes the table. `IF NOT EXISTS` is not safe against others."""


class Postgresql:
    """One connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._transaction: int | None = None

    def prepare(self) -> None:
        """Make the table if it is not there."""
        if self.connection.info.transaction_status.name != "IDLE":
            raise UnknownConnection(
                "the connection is in a transaction already, or closed: give a new one"
            )
        with self.connection.transaction():
            if self._value("SELECT to_regclass(%s)", (TABLE,)) is not None:
                return
            self._execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            self._execute(
                f"CREATE TABLE IF NOT EXISTS {TABLE} (run text NOT NULL, step text NOT NULL,"
                " generation integer NOT NULL, result text, at text,"
                " PRIMARY KEY (run, step, generation))"
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Inside is one transaction: committed at the end, rolled back after an exception."""
        import psycopg

        try:
            with self.connection.transaction():
                self._execute("SET LOCAL synchronous_commit = on")
                yield
        except psycopg.ProgrammingError as error:
            if "forbidden within a Transaction" in str(error):
                raise NotItsOwn from error
            raise

    def insert(self, row: StepRow) -> bool:
        """Insert the row, without a result; False if it is there. Waits for who is at it."""
        cursor = self._execute(
            f"INSERT INTO {TABLE} VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", row
        )
        self._transaction = self._value("SELECT txid_current()")
        return bool(cursor.rowcount == 1)

    def result_of(self, row: StepRow) -> str | None:
        """The result that the row has; None if it has none, or is not there."""
        found = self._value(
            f"SELECT result FROM {TABLE} WHERE run = %s AND step = %s AND generation = %s", row
        )
        return None if found is None else str(found)

    def write(self, row: StepRow, result: str, at: str) -> None:
        """Write the row's result. NotItsOwn if the transaction is another one now."""
        if self._value("SELECT txid_current()") != self._transaction:
            raise NotItsOwn
        cursor = self._execute(
            f"UPDATE {TABLE} SET result = %s, at = %s"
            " WHERE run = %s AND step = %s AND generation = %s AND result IS NULL",
            (result, at, *row),
        )
        if cursor.rowcount != 1:
            raise NotItsOwn

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        from psycopg import Cursor

        cursor = Cursor(self.connection)
        return cursor.execute(statement, values or None)

    def _value(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        from psycopg.rows import tuple_row

        cursor = self._execute(statement, values)
        cursor.row_factory = tuple_row
        found = cursor.fetchone()
        return None if found is None else found[0]
