"""The peers, one for each way in which a library is set up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.peers.packages import COJI, DBOS, PYTHON_DURABLE, NodePackage, PythonPackage

WORKLOADS = ("steps", "trigger", "prepare", "replay", "fill", "list", "many")


class Peer(NamedTuple):
    """A library under one of its settings; `workloads` are the ones that its API can do."""

    name: str
    settings: str
    package: PythonPackage | NodePackage
    mode: str
    workloads: tuple[str, ...] = WORKLOADS

    def command(self, folder: Path, workload: str, *args: str) -> list[str]:
        """The command of a workload; the folder is the one that the peers were installed in."""
        return [*self.package.launcher(folder), self.mode, workload, *args]


PEERS = (
    Peer("dbos", "as it comes", DBOS, "defaults"),
    Peer("dbos", "WAL, synchronous FULL", DBOS, "wal"),
    Peer("coji/durably", "as it comes", COJI, "defaults"),
    Peer("coji/durably", "as it comes, on libSQL", COJI, "libsql"),
    Peer("coji/durably", "WAL, synchronous NORMAL", COJI, "wal"),
    Peer("coji/durably", "WAL, synchronous FULL", COJI, "wal-full"),
    Peer("python-durable", "as it comes", PYTHON_DURABLE, "defaults", WORKLOADS[:4]),
)


def version_of(peer: Peer, folder: Path) -> str:
    """The versions of an installed peer, of what runs it and of its SQLite."""
    done = subprocess.run(
        peer.command(folder, "version"), stdout=subprocess.PIPE, text=True, check=True
    )
    versions: dict[str, str] = json.loads(done.stdout)
    return ", ".join(f"{name} {version}" for name, version in versions.items())
