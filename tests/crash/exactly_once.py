"""The same job with plain steps and with transactions, killed at the same places.

    python -m tests.crash.exactly_once

It is killed before each call that changes the disk, one after the other, and resumed. A plain step
that is killed between its effect and its line of the journal is called again.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import Project
from tests.harness.postgresql import server
from tests.harness.quick import drawn

STEPS = 3

JOB = """
    import sqlite3

    class Input(BaseModel):
        way: str
        database: str
        number: int
        steps: int

    def connect(database: str):
        if "dbname=" in database:
            import psycopg

            return psycopg.connect(database)
        return sqlite3.connect(database, timeout=30)

    def pay(connection, word: str) -> str:
        connection.execute(f"INSERT INTO paid VALUES ('{word}')")
        return word

    def pay_and_commit(database: str, word: str) -> str:
        connection = connect(database)
        pay(connection, word)
        connection.commit()
        connection.close()
        return word

    @define_job
    def work(step: Step, payload: Input) -> None:
        for n in range(payload.steps):
            word = f"{payload.number}-{n}"
            if payload.way == "plain":
                step.run(f"pay-{n}", pay_and_commit, payload.database, word)
            else:
                step.transaction(f"pay-{n}", lambda: connect(payload.database), pay, word)
"""


class Trial(NamedTuple):
    """What came of it: how often a run was killed, and effects that happened twice, or never."""

    kills: int
    twice: int
    missing: int


def trial(
    project: Project, way: str, database: str, connect: Callable[[], Any], every: int = 1
) -> Trial:
    """A run for each call that changes the disk, or one of so many; killed there, and resumed."""
    with connect() as connection:
        connection.execute("CREATE TABLE paid (word TEXT)")
        connection.commit()
    project.job(JOB)
    runs = 0
    for call in drawn(every):
        runs += 1
        args = ("trigger", "work", "--way", way, "--database", database, "--number", f"{runs}")
        args = (*args, "--steps", str(STEPS), "--idempotency-key", f"{runs}")
        result = project.start(*args, signal_at=(signal.SIGKILL, call)).result()
        project.run(*args)
        if result.code != -signal.SIGKILL:
            break
    with connect() as connection:
        query = "SELECT COUNT(*) FROM paid GROUP BY word"
        counts = [count for (count,) in connection.execute(query).fetchall()]
    return Trial(runs - 1, sum(count > 1 for count in counts), runs * STEPS - len(counts))


def main() -> int:
    """Print a line for each database and each kind of step; 1 if a transaction was wrong."""
    is_wrong = False
    with tempfile.TemporaryDirectory() as folder, server() as url:
        for database in ("SQLite", "PostgreSQL"):
            if database == "PostgreSQL" and url is None:
                print("PostgreSQL       none here: left out")
                continue
            for way in ("plain", "transaction"):
                project = Project(Path(folder) / f"{database}-{way}")
                found = trial(project, way, *database_of(database, way, project, url or ""))
                print(
                    f"{database:10}  {way:11}  {found.kills} kills: {found.twice} effects happened "
                    f"twice, {found.missing} not at all",
                    flush=True,
                )
                is_wrong |= way == "transaction" and (found.twice, found.missing) != (0, 0)
    return int(is_wrong)


def database_of(kind: str, way: str, project: Project, url: str) -> tuple[str, Callable[[], Any]]:
    """A database for a trial, as the job is given it, and a way to look into it."""
    if kind == "SQLite":
        file = str(project.root / "bank.db")
        return file, lambda: sqlite3.connect(file, timeout=30)
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS bank_{way}")  # of a trial before
        connection.execute(f"CREATE DATABASE bank_{way}")
    own = psycopg.conninfo.make_conninfo(url, dbname=f"bank_{way}")
    return own, lambda: psycopg.connect(own)


if __name__ == "__main__":
    sys.exit(main())
