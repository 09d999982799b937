"""The connection to the database, and what is said where there is none."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from threading import RLock
from typing import Any, LiteralString, TypeVar, cast
from weakref import WeakSet

import psycopg
from psycopg.conninfo import conninfo_to_dict

from durably_cli import hints
from durably_cli.errors import ConfigError, Forbidden, Unreachable, UsageError
from durably_cli.system.signals import shielded

T = TypeVar("T")

_CONNECT_SECONDS = 5
PAUSES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between the tries of who may wait for the server, as a worker does: a minute in all."""

LOCKS = 0x64757261
"""The first half of the advisory locks that durably takes: `dura`."""


_GRANT = (
    "grant usage on schema dbos, durably to ROLE; "
    "grant select on all tables in schema dbos, durably to ROLE    "
    "(for who looks; who changes needs insert, update, delete and execute as well)"
)

KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""So that a session across a network that was cut is known to be lost within seconds."""

_IS_REFUSED = re.compile(
    'password authentication failed|no password supplied|(role|database) "[^"]*" does not exist'
)

_IS_NOT_THERE = re.compile('database "[^"]*" does not exist')
_CREATE = "createdb NAME    (of PostgreSQL, by a role that may; durably makes its tables only)"

_sessions = WeakSet[psycopg.Connection[tuple[Any, ...]]]()


def _leave_sessions_to_the_parent() -> None:
    """In a process that a job has forked: it is not to hold up the server's end of a session."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for session in _sessions:
        with suppress(Exception):  # it is closed
            os.dup2(nowhere, session.fileno())
    os.close(nowhere)


os.register_at_fork(after_in_child=_leave_sessions_to_the_parent)


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
        self._inside: psycopg.Connection[tuple[Any, ...]] | None = None
        """That of a transaction."""

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
        """Inside, all is one transaction, never repeated; with `reads`, of one moment."""
        with self._lock, self._explained():
            session = self._connected()
            with session.transaction():
                self._inside = session
                try:
                    if reads:
                        self.change("set transaction isolation level repeatable read read only")
                    yield
                finally:
                    self._inside = None
                if session.closed or session.broken:  # psycopg passes over that
                    raise psycopg.OperationalError("the connection was lost in a transaction")

    def whole(self, act: Callable[[], T], *, reads: bool = False) -> T:
        """What comes of it in one transaction, which may be done twice: the patient do it again."""
        for pause in (*self._pauses, None):
            try:
                with self.transaction(reads=reads):
                    return act()
            except Unreachable:
                if pause is None:
                    raise
                self.close()
                time.sleep(pause)
        raise AssertionError

    def be_patient(self) -> None:
        """Who waits for a run waits for the server, too."""
        self._pauses = PAUSES

    def close(self) -> None:
        """End the session; the next question begins another one."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    @shielded
    def _asked(self, text: LiteralString, args: Sequence[object], found: Any) -> Any:
        with self._lock, self._explained():
            if self._inside is not None:
                return found(self._inside.execute(text, args))
            for pause in (*self._pauses, None):
                try:
                    return found(self._connected().execute(text, args))
                except psycopg.errors.ProgramLimitExceeded:
                    raise
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    if pause is None:
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
                options=" ".join(filter(None, (_options_in(self.url), self.options))),
                **KEEPALIVE,
            )
            _sessions.add(self._session)
        return self._session

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedColumn,
            psycopg.errors.UndefinedFunction,
            psycopg.errors.InvalidSchemaName,
        ):
            init = hints.command("engine", "init")
            what = f"the database {masked(self.url)} has not all tables of this durably yet"
            raise ConfigError(what, hint=f"{init}    (makes them)") from None
        except psycopg.errors.InsufficientPrivilege as error:
            what = f"the database {masked(self.url)} does not let this role do that: {error}"
            raise Forbidden(what.strip(), hint=_GRANT) from None
        except psycopg.errors.ReadOnlySqlTransaction:
            what = f"the database {masked(self.url)} is read-only: is it a standby?"
            raise Unreachable(what, hint=hints.command("info")) from None
        except (
            psycopg.errors.ProgramLimitExceeded,
            psycopg.DataError,
            UnicodeEncodeError,
        ) as error:
            said = str(error).strip().splitlines()[0]
            raise UsageError(f"no database takes what was given: {said}") from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            said = next(iter(str(error).strip().splitlines()), type(error).__name__)
            said = re.sub(r"[^\s'\"]+@", "...@", said)  # of a password that is not encoded
            where = masked(self.url)
            if _IS_REFUSED.search(said):
                hint = _CREATE if _IS_NOT_THERE.search(said) else None
                what = f"the database {where} lets nobody in so: {said}"
                raise ConfigError(what, hint=hint) from None
            what = f"the database {where} cannot be reached: {said}"
            raise Unreachable(what, hint=hints.command("info")) from None
        except psycopg.ProgrammingError as error:
            if self._session is None:  # the URL itself
                what = f"what is set is no URL of a database: {_of_url(error, self.url)}"
                hint = f"{hints.command('info')}    (says where it is set)"
                raise ConfigError(what, hint=hint) from None
            raise

    def make_tables(self) -> None:
        """Make those of durably that are not there."""
        text = Path(__file__).with_name("tables.sql").read_text(encoding="utf-8")
        self.change(cast(Any, text))


def _of_url(error: Exception, url: str) -> str:
    """The URL, and what is wrong with it, without what libpq quotes of it."""
    said = re.sub(r'".*"', "...", str(error).strip(), flags=re.DOTALL).splitlines()[0]
    why = "it begins with no postgresql://" if said.startswith("missing") else said
    return f"{masked(url)}: {why}"


def _options_in(url: str) -> str:
    return str(conninfo_to_dict(url).get("options") or "")


def masked(url: str) -> str:
    """The URL without what is secret in it."""
    scheme, is_url, _ = url.partition("://") if _HAS_SCHEME.match(url) else ("", "", url)
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        return f"{scheme}{is_url}..."
    found = {name: parts[name] for name in _OPEN if name in parts}
    if re.search("[@=]", "".join(found[name] for name in found if name != "user")):
        return f"{scheme}{is_url}..."  # a password that is not encoded
    if not is_url:
        return " ".join(f"{name}={value}" for name, value in found.items())
    user, database = (f"{found['user']}@" if "user" in found else ""), found.get("dbname", "")
    host, port = found.get("host", ""), found.get("port", "")
    if host.startswith("/"):
        asked = f"?host={host}" + (f"&port={port}" if port else "")
        return f"{scheme}://{user}/{database}{asked}"
    hosts = zip_longest(host.split(","), port.split(","), fillvalue="")
    place = ",".join(f"{name}{at and f':{at}'}" for name, at in hosts)
    return f"{scheme}://{user}{place}{database and f'/{database}'}"


_HAS_SCHEME = re.compile(r"[a-z]+://")
_OPEN = ("host", "hostaddr", "port", "user", "dbname")
"""What is shown of a URL."""


def lock_of(name: str) -> tuple[int, int]:
    """The advisory lock of this name."""
    return LOCKS, int.from_bytes(sha256(name.encode()).digest()[:4], "big", signed=True)


def is_locked(database: RunDatabase, name: str | None) -> bool:
    """Does a session hold the lock of this name? A look, which takes nothing."""
    return bool(name and locked_among(database, [name]))


def locked_among(database: RunDatabase, names: Sequence[str]) -> list[str]:
    """Those of these names whose lock a session holds."""
    ids = {name: lock_of(name)[1] & 0xFFFFFFFF for name in names}
    found = database.rows(
        "select objid from pg_locks where locktype = 'advisory' and granted"
        " and objsubid = 2 and database ="
        " (select oid from pg_database where datname = current_database())"
        " and classid = %s and objid = any(%s::bigint[]::oid[])",
        *(LOCKS, list(ids.values())),
    )
    held = {objid for (objid,) in found}
    return [name for name in names if ids[name] in held]
