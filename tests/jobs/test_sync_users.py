"""The example job: real files, a real database, killed in the middle."""

from __future__ import annotations

import csv
import functools
import http.server
import json
import os
import shutil
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all

JOBS = Path(__file__).parents[2] / "jobs"
ORG = '{"org_id": "org_123"}'


@pytest.fixture
def sync(project: Project) -> Project:
    for name in ("sync_users.py", "users.json"):
        shutil.copy(JOBS / name, project.root / "jobs" / name)
    return project


def rows(project: Project, database: str = "users.db") -> dict[str, str]:
    with closing(sqlite3.connect(project.root / database)) as connection:
        return dict(connection.execute("SELECT id, name FROM users"))


def test_it_copies_the_users_of_the_organisation_and_reports_the_bad_record(sync: Project) -> None:
    output = json.loads(sync.run("trigger", "sync-users", "--input", ORG).out)
    assert output["synced_count"] == 9
    assert output["errors"] == [
        "u_1005: 'efua.mensah(at)northwind.example' is not an e-mail address"
    ]
    assert len(rows(sync)) == 9
    assert rows(sync)["u_1002"] == "Björn Lindqvist"
    assert "u_2001" not in rows(sync)


@pytest.mark.parametrize("kind", ["json", "csv", "http"])
def test_the_source_is_a_path_or_a_url_of_json_or_csv(sync: Project, kind: str) -> None:
    users = json.loads((sync.root / "jobs" / "users.json").read_text())
    target = sync.root / f"source.{'csv' if kind == 'csv' else 'json'}"
    if kind == "csv":
        with target.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(users[0]))
            writer.writeheader()
            writer.writerows(users)
    else:
        target.write_text(json.dumps(users))
    source = str(target)
    if kind == "http":
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sync.root)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = f"http://127.0.0.1:{server.server_port}/{target.name}"
    args = ("-i", ORG, "-p", f"source={source}", "-p", "database=other.db")
    assert json.loads(sync.run("trigger", "sync-users", *args).out)["synced_count"] == 9
    assert len(rows(sync, "other.db")) == 9


def test_force_writes_what_has_not_changed(sync: Project) -> None:
    sync.run("trigger", "sync-users", "--input", ORG)
    with closing(sqlite3.connect(sync.root / "users.db")) as connection, connection:
        connection.execute("UPDATE users SET name = 'changed here'")
    sync.run("trigger", "sync-users", "--input", ORG)
    assert rows(sync)["u_1001"] == "changed here"
    sync.run("trigger", "sync-users", "--input", ORG, "-p", "force:=true")
    assert rows(sync)["u_1001"] == "Amara Okafor"


def test_a_crash_in_the_middle_loses_none_of_the_counts(sync: Project) -> None:
    job = sync.root / "jobs" / "sync_users.py"
    text = job.read_text()
    kill = '    if user.id == "u_1007":\n        import os; os.kill(os.getpid(), 9)\n'
    mark = '    """Insert or update the user'
    assert mark in text
    job.write_text(text.replace(mark, kill + mark))
    sync.run("trigger", "sync-users", "--input", ORG, expect=-signal.SIGKILL)
    assert len(rows(sync)) == 5
    job.write_text(text)
    output = json.loads(sync.run("resume", "@last").out)
    assert output["synced_count"] == 9
    assert len(output["errors"]) == 1
    assert len(rows(sync)) == 9


def test_a_source_that_is_missing_fails_the_run_and_it_goes_on_when_it_is_there(
    sync: Project,
) -> None:
    source = sync.root / "late.json"
    result = sync.run("trigger", "sync-users", "-i", ORG, "-p", f"source={source}", expect=1)
    assert "FileNotFoundError" in result.err
    os.link(sync.root / "jobs" / "users.json", source)
    assert json.loads(sync.run("resume", "@last").out)["synced_count"] == 9


@some_or_all(4)
def test_killed_anywhere_each_user_is_written_once(sync: Project, every: int) -> None:
    """With `force`, so that a second write would write: a trigger of SQLite counts them."""
    database = sync.root / "users.db"
    sync.run("trigger", "sync-users", "--input", ORG)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM users")
        connection.execute("CREATE TABLE written (id TEXT)")
        for deed in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TRIGGER on_{deed} AFTER {deed} ON users"
                " BEGIN INSERT INTO written VALUES (new.id); END"
            )
    commands = list[tuple[str, ...]]()

    def args() -> tuple[str, ...]:
        key = ("--idempotency-key", f"run-{len(commands)}")
        commands.append(("trigger", "sync-users", "-i", ORG, "-p", "force:=true", *key))
        return commands[-1]

    def check(number: int) -> None:
        assert json.loads(sync.run(*commands[-1]).out)["synced_count"] == 9
        with closing(sqlite3.connect(database)) as connection, connection:
            written = [word for (word,) in connection.execute("SELECT id FROM written")]
            connection.execute("DELETE FROM written")
        assert len(written) == len(set(written)) == 9

    assert killed_everywhere(sync, args, check, every) > 50
