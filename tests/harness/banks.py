"""A job that pays by `step.transaction` into SQLite files of each journal mode, and its books."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.journal.step_events import StepCompleted
from tests.conftest import Project
from tests.harness.places import remove

MODES = ("delete", "truncate", "persist", "wal")
WAYS = tuple(f"{mode} {level}" for mode in MODES for level in ("normal", "off"))
"""How a connection is set before durably is given it: it asks for no full sync, so durably must."""

PAYMENTS = tuple(f"{way} {n}" for n in range(3) for way in WAYS)
"""The steps of the job, in order."""

DIES_IN = PAYMENTS[len(PAYMENTS) // 2]
"""The one in whose function the job is killed at first."""

JOB = f"""
    import shutil, signal, sqlite3

    @define_job
    def pay(step: Step) -> None:
        copied()
        others = [connect(*way.split()) for way in {WAYS} if "normal" in way]
        for each in others:  # as long as they have it open, a WAL stays
            each.execute("SELECT * FROM sqlite_master").fetchall()
        for name in {PAYMENTS}:
            step.transaction(name, lambda: connect(*name.split()[:2]), insert, name)
            acknowledge(name)
        for each in others:
            each.close()

    def connect(mode: str, level: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{{os.environ['BANKS']}}/{{mode}} {{level}}.db")
        connection.execute(f"PRAGMA journal_mode={{mode}}")
        connection.execute(f"PRAGMA synchronous={{level}}")
        return connection

    def insert(connection: sqlite3.Connection, name: str) -> str:
        connection.execute("CREATE TABLE IF NOT EXISTS paid (name TEXT)")
        connection.execute("INSERT INTO paid VALUES (?)", (name,))
        if name == {DIES_IN!r} and not os.path.exists("mended"):
            os.kill(os.getpid(), signal.SIGKILL)
        return name

    def acknowledge(name: str) -> None:
        size = copied()
        with open(os.environ["ACKS"], "a") as file:
            file.write(f"{{size}} {{name}}\\n")

    def copied() -> int:
        size = os.stat(os.environ["WRITE_LOG"]).st_size
        if "COPIES" in os.environ:
            copy = f"{{os.environ['COPIES']}}/{{size}}"
            shutil.copytree(os.environ["DURABLY_DATA_DIR"], copy, dirs_exist_ok=True)
        return size
"""


class Banks:
    """A project with that job; its data folder is beside the banks, or on a disk without faults.

    What is acknowledged is noted with how long the log of the banks' disk is then.
    """

    def __init__(self, root: Path, log: Path, *, is_beside: bool) -> None:
        self.project = Project(root)
        self.project.job(JOB, "pay")
        self._mended = self.project.root / "mended"
        self._acks, self._is_beside = root / "acknowledged", is_beside
        self.project.env |= {"WRITE_LOG": str(log), "ACKS": str(self._acks)}
        self._copies = root / "copies"
        if not is_beside:
            (self._copies / "0").mkdir(parents=True)
            self.project.env["COPIES"] = str(self._copies)

    def work(self, disk: Path) -> None:
        """Make all payments on this disk: the job is killed in one, and taken up."""
        data = disk / "data" if self._is_beside else self.project.data
        self._mended.unlink(missing_ok=True)
        self._trigger(disk, data, -signal.SIGKILL)
        self._mended.touch()
        self._trigger(disk, data)
        for name in ("WRITE_LOG", "ACKS"):  # who goes on after a power cut is not noted
            self.project.env[name] = "/dev/null"
        self.project.env.pop("COPIES", None)

    @property
    def acknowledged(self) -> list[tuple[int, str]]:
        """The payments that were acknowledged, and how long the log was then."""
        lines = (line.split(" ", 1) for line in self._acks.read_text().splitlines())
        return [(int(size), name) for size, name in lines]

    def check(self, disk: Path, log_size: int) -> None:
        """AssertionError if this disk has lost a payment, or one is made twice as it goes on."""
        data = disk / "data" if self._is_beside else self._copy_at(log_size)
        completed, paid = _completed(data), _paid(disk)
        acknowledged = {name for size, name in self.acknowledged if size <= log_size}
        assert acknowledged <= completed, f"lost by the journal: {acknowledged - completed}"
        assert completed <= set(paid), f"lost by a bank: {completed - set(paid)}"
        assert len(paid) == len(set(paid)), f"paid twice: {paid}"
        self._trigger(disk, data)
        paid = _paid(disk)
        assert sorted(paid) == sorted(PAYMENTS), f"paid in the end: {paid}"

    def _trigger(self, disk: Path, data: Path, code: int = 0) -> None:
        env = self.project.env | {"BANKS": str(disk), "DURABLY_DATA_DIR": str(data)}
        args = ("trigger", "pay", "--idempotency-key", "once")
        self.project.run(*args, expect=code, env=env)

    def _copy_at(self, log_size: int) -> Path:
        """The data folder as it was when the log was so long."""
        sizes = (int(path.name) for path in self._copies.iterdir() if path.name.isdigit())
        data = self._copies / "data"
        remove(data)
        shutil.copytree(self._copies / str(max(size for size in sizes if size <= log_size)), data)
        return data


def _completed(data: Path) -> set[str]:
    """The steps whose results are in a journal, which must not be damaged."""
    found = set[str]()
    for view in Store(next(data.glob("project-*"), data / "none")).views():
        assert isinstance(view, RunView), f"unreadable: {view}"
        assert view.damage is None, f"taken for damage: {view.damage}"
        found |= {event.name for event in view.events() if isinstance(event, StepCompleted)}
    return found


def _paid(disk: Path) -> list[str]:
    """What the banks of this disk have."""
    return [name for path in sorted(disk.glob("*.db")) for name in _paid_into(path)]


def _paid_into(bank: Path) -> Iterator[str]:
    with closing(sqlite3.connect(bank)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert found == "ok", f"{bank.name} is damaged: {found}"
        query = "SELECT 1 FROM sqlite_master WHERE name = 'paid'"
        if connection.execute(query).fetchone():
            yield from (name for (name,) in connection.execute("SELECT name FROM paid"))
