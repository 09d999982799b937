"""`step.transaction`: what a function does in a database happens exactly once."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from durably import Retry, Step, StepMisused, ValueRefused
from psycopg import sql

from tests.conftest import Project
from tests.harness.postgresql import NONE_HERE, server

Connect = Callable[[], Any]


class Bank:
    """A database of one table, and ways to connect to it."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self._execute("CREATE TABLE paid (word TEXT)")

    def paid(self) -> list[str]:
        """What has been paid."""
        return [word for (word,) in self._execute("SELECT word FROM paid ORDER BY word")]

    def rows(self) -> list[tuple[str, str | None]]:
        """The rows of durably: step and result."""
        return self._execute("SELECT step, result FROM durably_steps ORDER BY step")

    def _execute(self, statement: str) -> list[Any]:
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            found = [] if cursor.description is None else list(cursor.fetchall())
            connection.commit()
            return found
        finally:
            connection.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    with server() as found:
        if found is None:
            pytest.skip(NONE_HERE)
        yield found


@pytest.fixture
def url(postgresql: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A schema of its own."""
    name = f"durably_{abs(hash(request.node.nodeid)):x}"
    schema = sql.Identifier(name)
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        yield psycopg.conninfo.make_conninfo(postgresql, options=f"-c search_path={name}")
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))


SQLITE: dict[str, dict[str, Any]] = {
    "legacy": {},
    "no isolation": {"isolation_level": None},
    "autocommit": {"autocommit": True},
    "manual commit": {"autocommit": False},
}
if sys.version_info < (3, 12):
    SQLITE = {name: given for name, given in SQLITE.items() if "autocommit" not in given}

POSTGRESQL: dict[str, dict[str, Any]] = {
    "manual commit": {},
    "autocommit": {"autocommit": True},
    "dicts": {"row_factory": psycopg.rows.dict_row},
}

WAYS = [
    *(("sqlite", name) for name in ("path", "wal", *SQLITE)),
    *(("postgresql", name) for name in POSTGRESQL),
]


@pytest.fixture(params=WAYS, ids=" ".join)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Bank, Any]:
    """A bank, and what is given as `connect`."""
    kind, name = request.param
    if kind == "postgresql":
        url = request.getfixturevalue("url")
        return Bank(lambda: psycopg.connect(url)), lambda: psycopg.connect(url, **POSTGRESQL[name])
    file = tmp_path / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))
    if name == "wal":
        sqlite3.connect(file).execute("PRAGMA journal_mode=WAL").close()
    given = SQLITE.get(name)
    return bank, file if given is None else lambda: sqlite3.connect(file, **given)


def pay(connection: Any, word: str) -> str:
    mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    connection.execute(f"INSERT INTO paid VALUES ({mark})", (word,))
    return f"paid {word}"


def test_it_is_done_once_and_its_result_is_written_with_it(way: tuple[Bank, Any]) -> None:
    bank, connect = way
    assert Step().transaction("pay", connect, pay, "ann") == "paid ann"
    assert bank.paid() == ["ann"]
    assert bank.rows() == [("pay", '"paid ann"')]


def test_what_raises_leaves_nothing_and_may_be_tried_again(way: tuple[Bank, Any]) -> None:
    bank, connect = way
    calls = []

    def second_time_lucky(connection: Any) -> int:
        pay(connection, f"call {len(calls)}")
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError
        return len(calls)

    assert Step().transaction("pay", connect, second_time_lucky, tries=Retry(2)) == 2
    assert bank.paid() == ["call 1"]


def commits(connection: Any) -> None:
    pay(connection, "lost")
    connection.commit()


def rolls_back(connection: Any) -> None:
    connection.rollback()


def commits_behind_a_block(connection: Any) -> None:
    with connection:
        pay(connection, "lost")


def commits_by_sql(connection: Any) -> None:
    pay(connection, "half")
    connection.execute("COMMIT")


def commits_by_sql_and_goes_on(connection: Any) -> None:
    commits_by_sql(connection)
    connection.execute("BEGIN")
    pay(connection, "lost")


def rolls_back_by_sql(connection: Any) -> None:
    pay(connection, "lost")
    connection.execute("ROLLBACK")


ENDINGS = [
    *(commits, rolls_back, commits_behind_a_block),
    *(commits_by_sql, commits_by_sql_and_goes_on, rolls_back_by_sql),
]


@pytest.mark.parametrize("ends", ENDINGS)
def test_a_function_that_ends_the_transaction_is_refused_and_nothing_happens_twice(
    way: tuple[Bank, Any], ends: Callable[[Any], None]
) -> None:
    bank, connect = way
    step = Step()
    with pytest.raises(StepMisused, match="step 'pay': its function has ended the transaction"):
        step.transaction("pay", connect, ends)
    assert bank.paid() in ([], ["half"])
    if bank.paid() == ["half"]:  # PostgreSQL cannot be kept from it: then it is not called again
        again = in_another_attempt(step)
        with pytest.raises(StepMisused, match="has committed something in an earlier try") as info:
            again.transaction("pay", connect, pay, "twice")
        assert bank.paid() == ["half"]
        delete = str(info.value).partition("remove its row, ")[2].partition(", so")[0]
        with bank.connect() as connection:
            connection.execute(delete)
        assert in_another_attempt(step).transaction("pay", connect, pay, "ann") == "paid ann"


def in_another_attempt(step: Step) -> Step:
    """One of the same run, whose journal has nothing of it."""
    again = Step()
    again._rows_of = step._rows_of
    return again


def test_what_was_committed_before_the_journal_had_it_is_taken_from_there(
    way: tuple[Bank, Any],
) -> None:
    bank, connect = way
    step = Step()
    step.transaction("pay", connect, pay, "ann")
    assert in_another_attempt(step).transaction("pay", connect, pay, "bob") == "paid ann"
    assert bank.paid() == ["ann"]


def test_several_at_once_of_one_step_do_it_once(way: tuple[Bank, Any]) -> None:
    bank, connect = way
    step = Step()
    found = list[str]()

    def attempt(word: str) -> None:
        found.append(in_another_attempt(step).transaction("pay", connect, pay, word))

    threads = [threading.Thread(target=attempt, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (word,) = bank.paid()
    assert found == [f"paid {word}"] * 6


def test_a_result_that_would_come_back_different_is_refused_and_nothing_is_done(
    way: tuple[Bank, Any],
) -> None:
    bank, connect = way

    def odd(connection: Any) -> Any:
        pay(connection, "lost")
        return {1: 2}

    with pytest.raises(ValueRefused, match="the result of step 'pay'"):
        Step().transaction("pay", connect, odd)
    assert bank.paid() == []


def test_a_savepoint_of_the_function_is_its_own(way: tuple[Bank, Any]) -> None:
    bank, connect = way

    def half(connection: Any) -> None:
        pay(connection, "ann")
        connection.execute("SAVEPOINT mine")
        pay(connection, "lost")
        connection.execute("ROLLBACK TO mine")
        connection.execute("RELEASE mine")

    Step().transaction("pay", connect, half)
    assert bank.paid() == ["ann"]


def test_insert_or_rollback_is_noticed_and_nothing_behind_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))

    def lost(connection: Any) -> None:
        connection.execute("CREATE UNIQUE INDEX once ON paid (word)")
        pay(connection, "ann")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT OR ROLLBACK INTO paid VALUES ('ann')")
        pay(connection, "behind")

    with pytest.raises(StepMisused, match="has ended the transaction"):
        Step().transaction("pay", file, lost)
    assert bank.paid() == []


@pytest.mark.parametrize(
    ("connect", "error", "said"),
    [
        (
            lambda: 5,
            StepMisused,
            "a connection of sqlite3 or psycopg is needed, not builtins.int",
        ),
        (5, StepMisused, "the path of a SQLite file, or a function that gives a connection"),
        ("/no-such/bank.db", sqlite3.OperationalError, "unable to open database file"),
        ("/", sqlite3.OperationalError, "unable to open database file"),
    ],
)
def test_what_is_no_database_is_said(connect: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as info:
        Step().transaction("pay", connect, pay, "ann")
    if error is not StepMisused:
        assert f"the database is {connect}" in info.value.__notes__


def test_a_connection_with_a_transaction_is_refused(tmp_path: Path, url: str) -> None:
    file = tmp_path / "bank.db"
    Bank(lambda: sqlite3.connect(file))
    Bank(lambda: psycopg.connect(url))

    def begun(connection: Any) -> Any:
        connection.execute("INSERT INTO paid VALUES ('mine')")
        return connection

    for connect in (lambda: begun(sqlite3.connect(file)), lambda: begun(psycopg.connect(url))):
        with pytest.raises(StepMisused, match="is in a transaction already"):
            Step().transaction("pay", connect, pay, "ann")


def test_sqlite_writes_durably_whatever_was_set(tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    Bank(lambda: sqlite3.connect(file))

    def careless() -> sqlite3.Connection:
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    def how(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    assert Step().transaction("how", careless, how) == 3


def test_postgresql_waits_for_the_disk_whatever_was_set(url: str) -> None:
    Bank(lambda: psycopg.connect(url))

    def careless() -> psycopg.Connection[Any]:
        connection = psycopg.connect(url)
        connection.execute("SET synchronous_commit = off")
        connection.commit()
        return connection

    def how(connection: psycopg.Connection[Any]) -> str:
        found = connection.execute("SHOW synchronous_commit").fetchone()
        return str(found[0]) if found else ""

    assert Step().transaction("how", careless, how) == "on"


def test_the_table_is_made_by_many_at_once(url: str) -> None:
    Bank(lambda: psycopg.connect(url))
    errors = list[BaseException]()

    def attempt(word: str) -> None:
        try:
            Step().transaction("pay", lambda: psycopg.connect(url), pay, word)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=attempt, args=(str(n),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_connection_that_is_lost_in_its_commit_is_looked_after(url: str) -> None:
    bank = Bank(lambda: psycopg.connect(url))

    losses = [True]

    class Lost(psycopg.Connection[Any]):
        """Its server is gone as soon as it has committed, and nobody has heard of that."""

        def _exec_command(self, command: Any, *args: Any, **more: Any) -> Any:
            found = yield from super()._exec_command(command, *args, **more)
            if command == b"COMMIT" and bank.paid() and losses:
                losses.clear()
                self.pgconn.finish()
                raise psycopg.OperationalError("the connection is lost")
            return found

    assert Step().transaction("pay", lambda: Lost.connect(url), pay, "ann") == "paid ann"
    assert losses == []
    assert bank.paid() == ["ann"]


def test_a_secret_in_its_result_is_refused_before_it_is_written(project: Project) -> None:
    file = project.root / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret
            database: str

        def tell(connection, token: str) -> str:
            connection.execute("INSERT INTO paid VALUES ('lost')")
            return token

        @define_job
        def work(step: Step, payload: Input) -> None:
            step.transaction("tell", payload.database, tell, payload.token.get_secret_value())
        """
    )
    given = ("--token", "env:TOKEN", "--database", str(file))
    env = project.env | {"TOKEN": "s3cr3t-value"}
    failed = project.run("trigger", "work", *given, expect=1, env=env)
    assert "the result of step 'tell'" in failed.err
    assert "s3cr3t-value" not in failed.err
    assert bank.paid() == []


KILLED = """
    import sqlite3

    class Input(BaseModel):
        at: str
        database: str

    def pay(connection, payload: Input) -> str:
        connection.execute("INSERT INTO paid VALUES ('ann')")
        if payload.at == "function":
            os.kill(os.getpid(), 9)
        return "paid"

    @define_job
    def work(step: Step, payload: Input) -> str:
        if payload.at == "journal" and step.attempt == 1:
            record = step._driver._write

            def dies(event):
                if type(event).__name__ == "StepCompleted":
                    os.kill(os.getpid(), 9)
                return record(event)

            step._driver._append = dies
        payload = payload if step.attempt == 1 else payload.model_copy(update={"at": ""})
        return step.transaction("pay", payload.database, pay, payload)
"""


@pytest.mark.parametrize("at", ["function", "journal"])
def test_killed_and_resumed_it_has_happened_once(project: Project, at: str) -> None:
    file = project.root / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))
    project.job(KILLED)
    project.run("trigger", "work", "--at", at, "--database", str(file), expect=-9)
    assert bank.paid() == (["ann"] if at == "journal" else [])
    run = project.runs()[0]
    assert (run["reason"], project.inspect()["in_doubt"]) == ("cut short: pay", [])
    knows = "its database knows whether it was done"
    planned = project.run("resume", "@last", "--dry-run").out.split("\t")
    assert (planned[1], planned[4]) == ("run", f"cut short: {knows}\n")
    resumed = project.run("resume", "@last")
    assert knows in resumed.err
    assert resumed.out == '"paid"\n'
    assert bank.paid() == ["ann"]


def test_a_result_is_read_past_encodings_and_what_is_registered_for_types(
    tmp_path: Path, url: str
) -> None:
    file = tmp_path / "bank.db"
    with sqlite3.connect(file) as made:
        made.execute("PRAGMA encoding='UTF-16le'")
        made.execute("CREATE TABLE paid (word TEXT)")

    class Upper(psycopg.adapt.Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode().upper()

    def odd(**given: Any) -> Connect:
        def connect() -> Any:
            connection = psycopg.connect(url, **given)
            connection.adapters.register_loader("text", Upper)
            return connection

        return connect

    def as_bytes() -> Any:
        connection = sqlite3.connect(file)
        connection.text_factory = bytes
        return connection

    Bank(lambda: psycopg.connect(url))
    ways: list[Any] = [file, as_bytes, odd(), odd(client_encoding="LATIN1")]
    for connect in ways:
        step = Step()
        for each in (step, in_another_attempt(step)):
            assert each.transaction("price", connect, lambda connection: "5 € 😀") == "5 € 😀"


def test_a_commit_that_is_still_under_way_is_waited_for(url: str) -> None:
    """Its connection is lost, and the server commits a second later."""
    bank = Bank(lambda: psycopg.connect(url))
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END'"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON paid DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()"
        )

    def cut(fd: int) -> None:
        time.sleep(0.5)
        with socket.socket(fileno=os.dup(fd)) as ours:
            ours.shutdown(socket.SHUT_RDWR)

    def pay_and_be_cut_off(connection: psycopg.Connection[Any]) -> str:
        threading.Thread(target=cut, args=(connection.fileno(),)).start()
        return pay(connection, "ann")

    step = Step()
    assert step.transaction("pay", lambda: psycopg.connect(url), pay_and_be_cut_off) == "paid ann"
    assert bank.paid() == ["ann"]


def test_who_has_the_whole_file_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))
    is_held = threading.Event()

    def hold() -> None:
        with sqlite3.connect(file, isolation_level=None) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            is_held.set()
            time.sleep(0.5)
            connection.execute("COMMIT")

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    assert Step().transaction("pay", file, pay, "ann") == "paid ann"
    holder.join()
    assert bank.paid() == ["ann"]


@pytest.mark.parametrize("mode", ["OFF", "MEMORY"])
def test_without_a_journal_in_a_file_it_gets_one(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "bank.db"
    Bank(lambda: sqlite3.connect(file))

    def careless() -> sqlite3.Connection:
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA journal_mode={mode}")
        return connection

    def how(connection: sqlite3.Connection) -> str:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])

    assert Step().transaction("how", careless, how) == "delete"


@pytest.mark.parametrize("given", [":memory:", "", lambda: sqlite3.connect(":memory:")])
def test_a_database_that_is_gone_with_its_connection_is_refused(given: Any) -> None:
    with pytest.raises(StepMisused, match="a database without a file"):
        Step().transaction("pay", given, pay, "ann")


def test_a_rollback_by_psycopgs_own_exception_is_refused(url: str) -> None:
    bank = Bank(lambda: psycopg.connect(url))

    def rolls_back_in_silence(connection: Any) -> None:
        pay(connection, "lost")
        raise psycopg.Rollback

    with pytest.raises(StepMisused, match="has ended the transaction"):
        Step().transaction("pay", lambda: psycopg.connect(url), rolls_back_in_silence)
    assert bank.paid() == []


def test_a_search_path_of_the_function_is_its_own(url: str) -> None:
    bank = Bank(lambda: psycopg.connect(url))

    def of_a_tenant(connection: Any) -> str:
        pay(connection, "ann")
        connection.execute("SET LOCAL search_path TO nowhere")
        return "done"

    step = Step()
    for each in (step, in_another_attempt(step)):
        found = each.transaction("pay", lambda: psycopg.connect(url), of_a_tenant)
        assert found == "done"
    assert bank.paid() == ["ann"]


def test_a_cursor_that_is_left_open_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    bank = Bank(lambda: sqlite3.connect(file))
    left = []

    def leaves_a_cursor(connection: sqlite3.Connection) -> None:
        left.append(connection.execute("INSERT INTO paid VALUES ('a'), ('b') RETURNING word"))

    with pytest.raises(sqlite3.OperationalError) as info:
        Step().transaction("pay", file, leaves_a_cursor)
    assert "the function has left a cursor or a blob open: close it" in info.value.__notes__
    left.clear()
    assert bank.paid() == []


def test_its_row_is_in_the_file_itself_and_in_none_that_is_attached(tmp_path: Path) -> None:
    file, other = tmp_path / "bank.db", tmp_path / "other.db"
    bank, beside = (Bank(lambda at=at: sqlite3.connect(at)) for at in (file, other))
    assert Step(run_id="0").transaction("pay", other, pay, "ann") == "paid ann"

    def attached() -> sqlite3.Connection:
        connection = sqlite3.connect(file)
        connection.execute("ATTACH ? AS other", (str(other),))
        return connection

    assert Step().transaction("pay", attached, pay, "bob") == "paid bob"
    assert bank.rows() == [("pay", '"paid bob"')]
    assert (bank.paid(), beside.rows()) == (["bob"], [("pay", '"paid ann"')])


def test_one_that_is_a_step_of_another_kind_now_can_be_decided(project: Project) -> None:
    file = project.root / "bank.db"
    Bank(lambda: sqlite3.connect(file))
    job = project.job(KILLED)
    project.run("trigger", "work", "--at", "function", "--database", str(file), expect=-9)
    was = 'step.transaction("pay", payload.database, pay, payload)'
    job.write_text(job.read_text().replace(was, 'step.run("pay", str, in_doubt="stop")'))
    stopped = project.run("resume", "@last", expect=1)
    assert "--redo pay" in stopped.err
    assert project.inspect()["undecided"] == ["pay"]
    assert project.run("resume", "@last", "--redo", "pay").out == '""\n'
