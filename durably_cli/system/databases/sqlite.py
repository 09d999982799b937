"""SQLite: a file of the user's own, by its path or by a connection of `sqlite3`."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from durably_cli.system.databases.database import TABLE, NotItsOwn, StepRow, UnknownConnection

_PATIENCE_SECONDS = 30.0
"""How long another writer is waited for."""

_LOOKS_SECONDS = 0.05
_BUSY = 5
_THIS = "run = ? AND step = ? AND generation = ?"
_IN_NO_FILE = ("off", "memory")
"""Journals with which a kill may leave the half of a transaction."""

_ENDS = ("BEGIN", "COMMIT", "ROLLBACK")


class Sqlite:
    """One connection, which `sqlite3` begins and ends no transaction of by itself."""

    def __init__(self, connection: sqlite3.Connection, path: str = "") -> None:
        self.connection = connection
        self._path = path
        self._was_refused = False

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Sqlite:
        """A new connection to this file, which is made if it is not there."""
        name = os.fspath(path)
        with _about(name):
            # Others are waited for here and not in C, where no Ctrl-C would end it.
            return cls(sqlite3.connect(name, timeout=_LOOKS_SECONDS), name)

    def prepare(self) -> None:
        """Have it write durably."""
        with _about(self._path):
            self._take_over()
            if self._path in ("", ":memory:"):
                _, _, file = self._patiently("PRAGMA database_list")  # the first is the main one
                if not file:
                    raise UnknownConnection("what is in a database without a file would be lost")
            if not self._path and self._value("PRAGMA journal_mode") in _IN_NO_FILE:
                self._patiently("PRAGMA journal_mode=DELETE")
            # FULL does not sync the folder from which a commit removes the rollback journal: with
            # that back after a power cut, SQLite would undo what durably's journal has.
            self._patiently("PRAGMA synchronous=EXTRA")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Inside is one transaction: committed at the end, rolled back after an exception."""
        with _about(self._path):
            self._patiently("BEGIN IMMEDIATE")
            try:
                try:
                    yield
                except sqlite3.DatabaseError as error:
                    if self._was_refused:
                        raise NotItsOwn from error
                    raise
                finally:
                    self.connection.set_authorizer(None)
                self._patiently("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._cursor().execute("ROLLBACK")
                raise

    def insert(self, row: StepRow) -> bool:
        """Insert the row, without a result; False if it is there.

        From here on to `write` nobody ends the transaction.
        """
        insert = f"INSERT OR IGNORE INTO main.{TABLE} VALUES (?, ?, ?, NULL, NULL)"
        try:
            is_new = self._changed(insert, row) == 1
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            self._make_table()
            is_new = self._changed(insert, row) == 1
        self.connection.set_authorizer(self._authorize)
        return is_new

    def result_of(self, row: StepRow) -> str | None:
        """The result that the row has; None if it has none, or is not there."""
        usual, self.connection.text_factory = self.connection.text_factory, str
        try:
            found = self._value(f"SELECT result FROM main.{TABLE} WHERE {_THIS}", row)
        finally:
            self.connection.text_factory = usual
        return None if found is None else str(found)

    def write(self, row: StepRow, result: str, at: str) -> None:
        """Write the row's result. NotItsOwn if it is not there any more."""
        self.connection.set_authorizer(None)
        changed = self._changed(
            f"UPDATE main.{TABLE} SET result = ?, at = ? WHERE {_THIS} AND result IS NULL",
            (result, at, *row),
        )
        if changed != 1 or self._was_refused:
            raise NotItsOwn

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _take_over(self) -> None:
        """Have no transaction that `sqlite3` would begin or end by itself, in whatever mode it is.

        What begins one by itself afterwards does so where ours was lost, and is rolled back then.
        """
        if sys.version_info >= (3, 12):
            mode: Any = self.connection.autocommit
            if mode is False:  # in which one is always open
                if self.connection.total_changes:
                    raise _has_one()
                self.connection.rollback()
                self.connection.autocommit = True
            elif self.connection.in_transaction:
                raise _has_one()
            self.connection.autocommit = sqlite3.LEGACY_TRANSACTION_CONTROL
        elif self.connection.in_transaction:
            raise _has_one()
        self.connection.isolation_level = "IMMEDIATE"
        if not self._path:  # the user's: others are waited for here, and not in C
            self._cursor().execute(f"PRAGMA busy_timeout={int(1000 * _LOOKS_SECONDS)}")

    def _make_table(self) -> None:
        """Make the table, before the transaction, in which nothing has been done yet."""
        self._patiently("ROLLBACK")
        self._patiently(
            f"CREATE TABLE IF NOT EXISTS main.{TABLE} (run TEXT NOT NULL, step TEXT NOT NULL,"
            " generation INTEGER NOT NULL, result TEXT, at TEXT,"
            " PRIMARY KEY (run, step, generation)) WITHOUT ROWID"
        )
        # Who made the file with synchronous=OFF has not synced its first page, without which
        # SQLite does not look at the WAL. This does; without a WAL it is nothing.
        self._patiently("PRAGMA wal_checkpoint")
        self._patiently("BEGIN IMMEDIATE")

    def _authorize(self, action: int, what: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_TRANSACTION and what in _ENDS:
            self._was_refused = True
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _patiently(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        """Execute it, once nobody else is in its way any more; its first row."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._cursor().execute(statement, values).fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > deadline:
                    raise
                if "SQL statements in progress" in str(error):
                    error.add_note("the function has left a cursor or a blob open: close it")
                    raise
            time.sleep(_LOOKS_SECONDS)

    def _changed(self, statement: str, values: tuple[object, ...]) -> int:
        return self._cursor().execute(statement, values).rowcount

    def _value(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        found = self._patiently(statement, values)
        return None if found is None else found[0]

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self.connection.cursor(sqlite3.Cursor)
        cursor.row_factory = None  # the user may have chosen one
        return cursor


@contextmanager
def _about(path: str) -> Iterator[None]:
    """Inside, errors of a file that was given by its path name it."""
    try:
        yield
    except sqlite3.Error as error:
        note = f"the database is {path}"
        if path and note not in getattr(error, "__notes__", ()):  # it may pass here twice
            error.add_note(note)
        raise


def _has_one() -> UnknownConnection:
    return UnknownConnection("the connection is in a transaction already: give a new one")
