"""Kills inside a database's own system calls, and of its server: a transaction happens once."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Project
from tests.crash.exactly_once import JOB, STEPS
from tests.harness.postgresql import NONE_HERE, Server, own_server, server
from tests.harness.quick import sizes, some_quick
from tests.harness.tracing import SystemCall, Traced, skip_without_strace

Count = Callable[[int], None]
Look = Callable[[], list[str]]

FILES, SOCKETS = "%desc,%file", "%network,poll,write,fdatasync"
TALKS = ("connect", "sendto", "recvfrom", "fdatasync")
"""The calls behind which a server may crash: of its client, and the sync of the journal."""


class Teller:
    """A job of payments into one database, and how it is triggered: each number is a run."""

    def __init__(self, project: Project, kinds: str, database: str, look: Look) -> None:
        skip_without_strace()
        self._project, self._kinds, self._database = project, kinds, database
        self._look, self._number = look, 0
        project.job(JOB)
        self.pay()  # makes the table, and leaves compiled modules behind
        self.calls = self.next().calls_of_steps()

    def next(self) -> Traced:
        """A run that there was not before."""
        self._number += 1
        return Traced(self._project, self._kinds, *self._args())

    def pay(self) -> None:
        """Bring the run to its end. AssertionError if a payment is not there once."""
        self._project.run(*self._args())
        found = [word for word in self._look() if word.startswith(f"{self._number}-")]
        assert sorted(found) == [f"{self._number}-{n}" for n in range(STEPS)], found

    def resume(self) -> None:
        """Resume the run, which has failed, to its end."""
        self._project.run("resume", f"key:work/{self._number}")

    def paid(self) -> int:
        """How many payments of the run are there."""
        return sum(word.startswith(f"{self._number}-") for word in self._look())

    def completed(self) -> int:
        """How many payments the journal has."""
        journal = self._project.journal(f"key:work/{self._number}")
        return journal.read_bytes().count(b'"type":"step.completed"')

    def _args(self) -> tuple[str, ...]:
        args = ("trigger", "work", "--way", "transaction", "--database", self._database)
        number = str(self._number)
        return (*args, "--number", number, "--steps", str(STEPS), "--idempotency-key", number)


def killed_at(teller: Teller, calls: list[SystemCall]) -> int:
    """Kill a run at each of these calls, and bring it to its end; how many were killed."""
    kills = 0
    for call in calls:
        kills += teller.next().killed_at(call).code == -9
        try:
            teller.pay()
        except AssertionError as error:
            raise AssertionError(f"killed at {call}: {error}") from error
    return kills


def some(calls: list[SystemCall], most: int | None) -> list[SystemCall]:
    return calls if most is None else random.sample(calls, most)


@pytest.mark.parametrize("most", sizes(6, None))
@pytest.mark.parametrize("mode", some_quick(("delete", "wal"), 1))
def test_killed_at_the_system_calls_of_sqlite(
    mode: str, most: int | None, project: Project, tmp_path: Path, count: Count
) -> None:
    bank = tmp_path / "bank.db"
    with closing(sqlite3.connect(bank)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE paid (word TEXT)")

    def look() -> list[str]:
        with closing(sqlite3.connect(bank)) as connection:
            return [word for (word,) in connection.execute("SELECT word FROM paid")]

    teller = Teller(project, FILES, str(bank), look)
    kills = killed_at(teller, some(teller.calls, most))
    count(kills)
    assert kills > 0


def paid_at(url: str) -> Look:
    """A new table of payments, and a look at it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS paid, durably_steps")
        connection.execute("CREATE TABLE paid (word TEXT)")

    def look() -> list[str]:
        with psycopg.connect(url) as connection:
            return [word for (word,) in connection.execute("SELECT word FROM paid")]

    return look


@pytest.mark.long
@pytest.mark.parametrize(
    "most", [12, pytest.param(None, marks=pytest.mark.campaign)], ids=["some", "all"]
)
def test_killed_at_the_system_calls_of_a_client_of_postgresql(
    most: int | None, project: Project, count: Count
) -> None:
    with server() as url:
        if url is None:
            pytest.skip(NONE_HERE)
        teller = Teller(project, SOCKETS, url, paid_at(url))
        kills = killed_at(teller, some(teller.calls, most))
    count(kills)
    assert kills > 0


@pytest.fixture
def crashing() -> Iterator[Server]:
    """A server that loses whatever a commit has not waited for."""
    with own_server() as found:
        if found is None:
            pytest.skip(NONE_HERE)
        with psycopg.connect(found.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            connection.execute("SELECT pg_reload_conf()")
        yield found


@pytest.mark.long
@pytest.mark.parametrize(
    "most", [5, pytest.param(None, marks=pytest.mark.campaign)], ids=["some", "all"]
)
def test_its_server_crashes_in_the_middle(
    most: int | None, crashing: Server, project: Project, count: Count
) -> None:
    """Its user asks for no durable commits; what the journal has is there all the same."""
    url = f"{crashing.url} options='-c synchronous_commit=off'"
    teller = Teller(project, SOCKETS, url, paid_at(crashing.url))

    def crash() -> None:
        crashing.stop()
        crashing.start()
        assert teller.completed() <= teller.paid(), "the journal has what the database has lost"

    calls = some([call for call in teller.calls if call.name in TALKS], most)
    for call in calls:
        result = teller.next().stopped_at(call, crash)
        assert result.code in (0, 1), f"{call}: {result}"
        if result.code:
            teller.resume()
        teller.pay()
    count(len(calls))
