"""The connection to the database, and what is said where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any, LiteralString, TypeVar, cast
from urllib.parse import urlsplit

import psycopg

from durably_cli import hints
from durably_cli.errors import ConfigError, Unreachable
from durably_cli.system.signals import shielded

T = TypeVar("T")

_CONNECT_SECONDS = 5
PAUSES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between the tries of who may wait for the server, as a worker does: a minute in all."""

LOCKS = 0x64757261
"""The first half of the advisory locks that durably takes: `dura`."""


class RunDatabase:
    """One session, which is begun when it is needed. The project is known to it by its name.

    With `patient`, what the server does not answer is asked again for a minute: only for what may
    be done twice.
    """

    def __init__(self, url: str, project: str, *, patient: bool = False, options: str = "") -> None:
        self.url, self.project = url, project
        self._pauses: Sequence[float] = PAUSES if patient else ()
        self.options, self._lock = options, RLock()
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None
        self._is_inside = False

    def rows(self, text: LiteralString, *args: object) -> list[tuple[Any, ...]]:
        """What a query gives."""
        return self._asked(text, args, lambda cursor: cursor.fetchall())  # type: ignore[no-any-return]

    def row(self, text: LiteralString, *args: object) -> tuple[Any, ...] | None:
        """The first row of it."""
        return self._asked(text, args, lambda cursor: cursor.fetchone())  # type: ignore[no-any-return]

    def change(self, text: LiteralString, *args: object) -> int:
        """How many rows a statement has changed."""
        return int(self._asked(text, args, lambda cursor: cursor.rowcount))

    @contextmanager
    def transaction(self, *, reads: bool = False) -> Iterator[None]:
        """Inside, all is one transaction; with `reads`, of one moment."""
        with self._lock, self._explained(), self._connected().transaction():
            self._is_inside = True
            try:
                if reads:
                    self.change("set transaction isolation level repeatable read read only")
                yield
            finally:
                self._is_inside = False

    def at_one_moment(self, look: Callable[[], T]) -> T:
        """What a look finds, of which all questions are answered as of one moment."""
        for pause in (*self._pauses, None):
            try:
                with self.transaction(reads=True):
                    return look()
            except Unreachable:
                if pause is None:
                    raise
                self.close()
                time.sleep(pause)
        raise AssertionError

    def close(self) -> None:
        """End the session; the next question begins another one."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    @shielded
    def _asked(self, text: LiteralString, args: Sequence[object], found: Any) -> Any:
        with self._lock, self._explained():
            for pause in (*self._pauses, None):
                try:
                    return found(self._connected().execute(text, args))
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    if pause is None or self._is_inside:
                        raise
                    self.close()
                    time.sleep(pause)
        raise AssertionError

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._session is None or self._session.closed:
            self._session = psycopg.connect(
                self.url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                application_name="durably",
                options=self.options,
            )
        return self._session

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedColumn,
            psycopg.errors.InvalidSchemaName,
        ):
            init = hints.command("engine", "init")
            what = f"the database {masked(self.url)} has not all tables of this durably yet"
            raise ConfigError(what, hint=f"{init}    (makes them)") from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            said = str(error).strip().splitlines()
            raise Unreachable(
                f"the database {masked(self.url)} cannot be reached: {said[-1] if said else error}",
                hint=hints.command("info"),
            ) from None
        except psycopg.ProgrammingError as error:
            if self._session is None:  # the URL itself
                what = f"the URL of the database is none: {_of_url(error, self.url)}"
                raise ConfigError(what) from None
            raise

    def make_tables(self) -> None:
        """Make those of durably that are not there."""
        text = Path(__file__).with_name("tables.sql").read_text(encoding="utf-8")
        self.change(cast(Any, text))


def _of_url(error: Exception, url: str) -> str:
    return str(error).strip().replace(url, masked(url)).splitlines()[0]


def masked(url: str) -> str:
    """The URL without what is secret in it."""
    if "://" not in url:
        words = (each for each in url.split() if not each.startswith(("password=", "sslpassword=")))
        return " ".join(words)
    try:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"


def lock_of(name: str) -> tuple[int, int]:
    """The advisory lock of this name."""
    return LOCKS, int.from_bytes(sha256(name.encode()).digest()[:4], "big", signed=True)


def is_locked(database: RunDatabase, name: str | None) -> bool:
    """Does a session hold the lock of this name? A look, which takes nothing."""
    if not name:
        return False
    found = database.row(
        "select exists(select from pg_locks where locktype = 'advisory' and granted"
        " and objsubid = 2 and database ="
        " (select oid from pg_database where datname = current_database())"
        " and classid = %s and objid = %s)",
        LOCKS,
        lock_of(name)[1] & 0xFFFFFFFF,
    )
    return bool(found and found[0])
