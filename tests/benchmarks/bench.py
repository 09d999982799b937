"""Where it is measured: a project of its own, which has had one run, with the jobs to measure."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.benchmarks import programs
from tests.benchmarks.measuring import run
from tests.benchmarks.peers import Peer
from tests.conftest import Project

PROGRAMS = Path(programs.__file__).parent

JOBS = '''\
import random
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from pydantic import BaseModel

from durably_cli import Step, define_job
from tests.benchmarks.programs.bare_steps import LOOPS


class SyncInput(BaseModel):
    """What the job takes."""

    org_id: str
    force: bool = False


class SyncOutput(BaseModel):
    """What the job gives."""

    synced: int


def user(number):
    return {"id": number, "ok": True, "name": f"user-{number}"}


@define_job
def steps(step: Step, payload: int) -> float:
    """So many steps, and how many seconds they took."""
    begun = time.perf_counter()
    for number in range(payload):
        step.run(f"step-{number}", user, number)
    return time.perf_counter() - begun


@define_job
def race(step: Step, folder: str) -> dict[str, float]:
    """A step and bare loops in turns, a few at a time: the seconds each takes, in the median."""
    loops = {kind: loop(Path(folder)) for kind, loop in LOOPS.items()}
    numbers = iter(range(1_000_000))

    def own(number: int) -> None:
        step.run(f"sync-{number}", user, number)

    works = {"durably": own, **loops}
    taken = {kind: [] for kind in works}
    for _ in range(120):
        for kind in random.sample(list(works), len(works)):
            begun = time.perf_counter()
            for _ in range(25):
                works[kind](next(numbers))
            taken[kind].append((time.perf_counter() - begun) / 25)
    return {kind: median(each) for kind, each in taken.items()}


@define_job
def programs(step: Step, payload: int) -> dict[str, float]:
    """Programs as steps, and by subprocess beside a step, in turns: the seconds, in the median."""
    numbers = iter(range(1_000_000))

    def own() -> None:
        step.sh(f"program-{next(numbers)}", ["true"])

    def bare() -> None:
        subprocess.run(["true"], check=True)
        step.run(f"step-{next(numbers)}", int)

    step.sh("first", ["true"])
    taken = {"durably": [], "subprocess.run, and a plain step": []}
    for _ in range(payload):
        for kind, work in random.sample(list(zip(taken, (own, bare))), 2):
            begun = time.perf_counter()
            work()
            taken[kind].append(time.perf_counter() - begun)
    return {kind: median(each) for kind, each in taken.items()}


def write(connection: sqlite3.Connection, number: int) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    return number


def write_by_hand(database: str, number: int) -> int:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous=EXTRA")
        return write(connection, number)


@define_job
def transactions(step: Step, payload: int) -> dict[str, float]:
    """Writes in transactions of steps, and by hand in plain steps, in turns: the median seconds."""
    numbers = iter(range(1_000_000))
    works, taken = {}, {}
    for kind in ("durably", "by hand in a plain step"):
        database = f"{step.run_id}-{kind.split()[0]}.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("CREATE TABLE numbers (number INTEGER)")
        taken[kind] = []
        if kind == "durably":
            works[kind] = lambda name, n, at=database: step.transaction(name, at, write, n)
        else:
            works[kind] = lambda name, n, at=database: step.run(name, write_by_hand, at, n)
    for _ in range(payload):
        for kind in random.sample(list(works), 2):
            number = next(numbers)
            begun = time.perf_counter()
            works[kind](f"write-{number}", number)
            taken[kind].append(time.perf_counter() - begun)
    return {kind: median(each) for kind, each in taken.items()}


@define_job
def sync(step: Step, payload: SyncInput) -> SyncOutput:
    """Three steps between a model and a model."""
    for number in range(3):
        step.run(f"sync-{number}", user, number)
    return SyncOutput(synced=3)
'''

TRIGGER = ("trigger", "sync", "--input", '{"org_id": "org_123"}')
"""A run of three steps with a typed input, as a user would have it."""


class Bench(NamedTuple):
    """A project to measure in, the peers and the folder they are installed in, and how often."""

    project: Project
    peers: tuple[Peer, ...] = ()
    peers_folder: Path = Path()
    rounds: int = 9

    @property
    def folder(self) -> Path:
        """Where everything of it is."""
        return self.project.root.parent

    @property
    def options(self) -> dict[str, Any]:
        """What a process is started with, to be in the project."""
        return {"cwd": self.project.root, "env": self.project.env}

    @property
    def runs(self) -> Path:
        """The folder of the journals."""
        (store,) = self.project.data.iterdir()
        return store / "runs"

    def beside(self, name: str) -> Bench:
        """Another bench with a project of its own, where nothing has been measured yet."""
        return _bench_in(self.folder / name, self.peers, self.peers_folder, self.rounds)

    def durably(self, *args: str) -> list[str]:
        """A command of durably, as its installed script starts it."""
        return [str(Path(sys.executable).with_name("durably")), *args]

    def program(self, name: str, *args: str) -> list[str]:
        """A command of one of the programs that measure a part of durably, or do without it."""
        return [sys.executable, str(PROGRAMS / f"{name}.py"), *args]

    def able(self, workload: str) -> Iterator[tuple[str, list[str], str]]:
        """Each peer that can do this: its name with its settings, its command, its data folder."""
        for peer in self.peers:
            if workload in peer.workloads:
                name = f"{peer.name}, {peer.settings}"
                folder = self.folder / "".join(c if c.isalnum() else "-" for c in name)
                yield name, peer.command(self.peers_folder, workload), str(folder / workload)


@contextmanager
def bench(
    peers: tuple[Peer, ...] = (), peers_folder: Path = Path(), rounds: int = 9
) -> Iterator[Bench]:
    """A bench in a folder of its own, which goes with it."""
    with TemporaryDirectory(prefix="durably-bench-") as folder:
        yield _bench_in(Path(folder), peers, peers_folder, rounds)


def _bench_in(folder: Path, peers: tuple[Peer, ...], peers_folder: Path, rounds: int) -> Bench:
    project = Project(folder)
    project.env |= {"PYTHONDONTWRITEBYTECODE": ""}  # as an interpreter is by default
    (project.root / "jobs" / "bench.py").write_text(JOBS)
    made = Bench(project, peers, peers_folder, rounds)
    run(made.durably(*TRIGGER), **made.options)
    return made


def drop_caches() -> bool:
    """Forget what the kernel remembers of the disk; False if that takes other rights."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True
