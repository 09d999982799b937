"""The backup example: a real database that others write to, a real server, killed in the middle."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Project

JOBS = Path(__file__).parents[2] / "jobs"


class Server(ThreadingHTTPServer):
    """Takes files by PUT, and notices by POST; what it answers first is in `answers`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, str]] = []
        self.files: dict[str, bytes] = {}
        self.keys: list[str] = []
        self.notices: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        code, after = self.server.answers.pop(0) if self.server.answers else (201, "")
        if self.headers["Authorization"] != "Bearer s3cr3t-value":
            code = 403
        if code == 201:
            self.server.files[self.path] = body
        self.send_response(code)
        if after:
            self.send_header("Retry-After", after)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.notices.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def shop(project: Project, server: Server) -> Project:
    shutil.copy(JOBS / "nightly_backup.py", project.root / "jobs")
    with closing(sqlite3.connect(project.root / "shop.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO orders (text) VALUES (?)", [("x" * 100,)] * 2000)
    project.env |= {"TOKEN": "s3cr3t-value", "BACKUP_NOTICE_URL": server.url}
    return project


def trigger(shop: Project, url: str = "", *more: str, expect: int = 0) -> str:
    to = ("--url", f"{url}/backups", "--token", "env:TOKEN") if url else ()
    arguments = ("trigger", "nightly-backup", "--database", "shop.db", *to, *more)
    result = shop.run(*arguments, expect=expect)
    return result.out or result.err


def orders(packed: bytes, folder: Path) -> int:
    path = folder / "unpacked.db"
    path.write_bytes(gzip.decompress(packed))
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM orders").fetchone()
    return int(count)


def test_a_backup_is_the_database_in_the_folder_and_on_the_server(
    shop: Project, server: Server, tmp_path: Path
) -> None:
    output = json.loads(trigger(shop, server.url))
    packed = Path(output["file"])
    assert packed.parent.name == "backups"
    assert [path.name for path in packed.parent.iterdir()] == [packed.name]
    assert orders(packed.read_bytes(), tmp_path) == 2000
    assert server.files == {f"/backups/{packed.name}": packed.read_bytes()}
    assert "s3cr3t" not in shop.journal().read_text()


@pytest.mark.long
def test_a_busy_server_is_tried_again_when_it_says_so(shop: Project, server: Server) -> None:
    server.answers = [(503, "1"), (429, "0")]
    trigger(shop, server.url)
    assert len(server.files) == 1
    assert len(server.keys) == 3
    assert len(set(server.keys)) == 1
    lines = [json.loads(line) for line in shop.journal().read_text().splitlines()]
    assert [line["tries"] for line in lines if line["type"] == "step.retrying"] == [1, 2]


def test_a_server_that_refuses_is_not_tried_again_and_a_person_hears_of_it(
    shop: Project, server: Server
) -> None:
    shop.env["TOKEN"] = "another-value"
    assert "HTTP Error 403" in trigger(shop, server.url, expect=1)
    assert len(server.keys) == 1
    (notice,) = server.notices
    assert "failed in upload" in notice
    shop.env["TOKEN"] = "s3cr3t-value"
    shop.run("resume", "@failed")
    assert len(server.files) == 1


@pytest.mark.long
def test_killed_in_a_pause_it_goes_on_and_copies_nothing_twice(
    shop: Project, server: Server
) -> None:
    server.answers = [(503, "2")]
    to = ("--url", f"{server.url}/backups", "--token", "env:TOKEN")
    with shop.start("trigger", "nightly-backup", "--database", "shop.db", *to) as process:
        while not server.keys or b"step.retrying" not in shop.journal().read_bytes():
            time.sleep(0.01)
        process.kill()
    with closing(sqlite3.connect(shop.root / "shop.db")) as connection, connection:
        connection.execute("DELETE FROM orders")
    shop.run("resume", "@last")
    (packed,) = server.files.values()
    assert orders(packed, shop.root) == 2000


def test_only_the_latest_are_left(shop: Project) -> None:
    folder = shop.root / "backups"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"shop-2020-01-0{day}.db.gz").touch()
    (folder / "others-2020-01-01.db.gz").touch()
    output = json.loads(trigger(shop, "", "--keep", "2"))
    assert output["removed"] == [f"shop-2020-01-0{day}.db.gz" for day in range(1, 5)]
    assert len(list(folder.iterdir())) == 3


def test_a_database_that_is_not_there_is_an_error_and_leaves_nothing(shop: Project) -> None:
    (shop.root / "shop.db").unlink()
    assert "No such file" in trigger(shop, expect=1)
    assert not list((shop.root / "backups").iterdir())
