"""PostgreSQL, by a connection of `psycopg` (3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from durably_cli.system.databases.database import TABLE, NotItsOwn, StepRow, UnknownConnection

_THIS = "run = %s AND step = %s AND generation = %s"
_LOCK = 6_204_831_590_271
"""A number of ours: who holds it makes the table. `IF NOT EXISTS` is not safe against others."""


class Postgresql:
    """One connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._transaction: bytes | None = None
        self._table = TABLE

    def prepare(self) -> None:
        """Make the table if it is not there."""
        if self.connection.info.transaction_status.name != "IDLE":
            raise UnknownConnection(
                "the connection is in a transaction already, or closed: give a new one"
            )
        with self.connection.transaction():
            if (schema := self._schema()) is None:
                self._execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                self._execute(
                    f"CREATE TABLE IF NOT EXISTS {TABLE} (run text NOT NULL, step text NOT NULL,"
                    " generation integer NOT NULL, result text, at text,"
                    " PRIMARY KEY (run, step, generation))"
                )
                schema = self._schema() or b""
        self._table = f"{schema.decode()}.{TABLE}"  # the function may change the search path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Inside is one transaction: committed at the end, rolled back after an exception."""
        import psycopg

        try:
            with self.connection.transaction():
                self._have_it_durable()
                try:
                    yield
                except psycopg.Rollback as error:  # which would end the block in silence
                    raise NotItsOwn from error
        except psycopg.ProgrammingError as error:
            if "forbidden within a Transaction" in str(error):
                raise NotItsOwn from error
            raise

    def insert(self, row: StepRow) -> bool:
        """Insert the row, without a result; False if it is there. Waits for who is at it."""
        cursor = self._execute(
            f"INSERT INTO {self._table} VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", row
        )
        self._transaction = self._value("SELECT txid_current()")
        return bool(cursor.rowcount == 1)

    def result_of(self, row: StepRow) -> str | None:
        """The result that the row has; None if it has none, or is not there."""
        found = self._value(
            f"SELECT result FROM {self._table} WHERE {_THIS}",
            row,
        )
        return None if found is None else found.decode("ascii")

    def write(self, row: StepRow, result: str, at: str) -> None:
        """Write the row's result. NotItsOwn if the transaction is another one now."""
        if self._value("SELECT txid_current()") != self._transaction:
            raise NotItsOwn
        self._have_it_durable()  # the function may have said otherwise
        cursor = self._execute(
            f"UPDATE {self._table} SET result = %s, at = %s WHERE {_THIS} AND result IS NULL",
            (_in_ascii(result), at, *row),
        )
        if cursor.rowcount != 1:
            raise NotItsOwn

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _have_it_durable(self) -> None:
        """Have this transaction's commit wait for the disk."""
        if self._value("SHOW synchronous_commit") not in (b"on", b"remote_apply"):
            self._execute("SET LOCAL synchronous_commit = on")

    def _schema(self) -> bytes | None:
        """The schema in which the table is, quoted."""
        return self._value(
            "SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace"
            " ON pg_namespace.oid = relnamespace WHERE pg_class.oid = to_regclass(%s)",
            (TABLE,),
        )

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        from psycopg import Cursor

        return Cursor(self.connection).execute(statement, values or None)

    def _value(self, statement: str, values: tuple[object, ...] = ()) -> bytes | None:
        """The first value as the server sends it: past what the user has registered for types."""
        result = self._execute(statement, values).pgresult
        return result.get_value(0, 0) if result.ntuples else None


def _in_ascii(text: str) -> str:
    """The same JSON, whatever the connection's encoding."""
    if text.isascii():
        return text
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
