"""What an engine with workers looks like now: its server, its workers, and what waits for them."""

from __future__ import annotations

from typing import NamedTuple


class WorkerSeen(NamedTuple):
    """A worker, and how many runs it executes; one that is dead, until others have seen that."""

    id: str
    is_alive: bool
    host: str
    pid: int
    version: str
    slots: int
    runs: int
    since: str
    jobs: list[str]


class JobLoad(NamedTuple):
    """How many runs of a job wait for a worker, are running, and wait for something else."""

    job: str
    queued: int
    running: int
    waiting: int


class Census(NamedTuple):
    """Where the runs of a project are, in which version of the server and of DBOS, and all that."""

    place: str
    project: str
    server: str
    dbos: str
    workers: list[WorkerSeen]
    jobs: list[JobLoad]
