"""Each workload once and in small, to see that a peer does it and what it syncs."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import syncs_of
from tests.benchmarks.peers.peer import Peer

_FOLDERS = ("steps", "trigger", "died", "full", "many")
_RUNS = 1000


class Failed(Exception):
    """A workload did not do what it is there for."""


def trials(peer: Peer, folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Do each workload of a peer; give its name and what came of it."""
    with tempfile.TemporaryDirectory(prefix="peers-") as parent:
        data = {name: str(Path(parent) / name) for name in _FOLDERS}
        arguments = {
            "steps": [str(count), data["steps"]],
            "trigger": [data["trigger"]],
            "prepare": [str(count), data["died"]],
            "replay": [data["died"]],
            "fill": [str(_RUNS), data["full"]],
            "list": [str(_RUNS), data["full"]],
            "many": [str(count), data["many"]],
        }
        for workload in peer.workloads:
            try:
                line = run(peer, folder, workload, *arguments[workload])
                _CHECKS[workload](line, count)
            except Failed as failed:
                yield workload, f"FAILED: {failed}"
            else:
                yield workload, f"{line['seconds']:.3f} s" if "seconds" in line else "done"


def run(peer: Peer, folder: Path, workload: str, *args: str) -> dict[str, Any]:
    """The one line that a workload prints; its process is to exit with 0, unless it is to die."""
    done = subprocess.run(
        peer.command(folder, workload, *args), capture_output=True, text=True, timeout=600
    )
    if len(done.stdout.splitlines()) != 1 or (done.returncode == 0) == (workload == "prepare"):
        raise Failed(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    line: dict[str, Any] = json.loads(done.stdout)
    return line


def syncs_per_step(peer: Peer, folder: Path, count: int) -> float | None:
    """How often a step syncs: the difference between `count` and twice as many, by strace."""
    with tempfile.TemporaryDirectory(prefix="peers-") as parent:
        once, twice = (
            syncs_of(peer.command(folder, "steps", str(steps), str(Path(parent) / str(steps))))
            for steps in (count, 2 * count)
        )
    return None if once is None or twice is None else (twice - once) / count


def _are_all(line: dict[str, Any], count: int) -> None:
    _check(count in (line.get("steps"), line.get("replayed")), line)


def _is_result(line: dict[str, Any], _: int) -> None:
    _check(line == {"result": {"saved": 3}}, line)


def _are_filled(line: dict[str, Any], _: int) -> None:
    _check(line == {"runs": _RUNS}, line)


def _are_newest(line: dict[str, Any], _: int) -> None:
    copies = [f"copy-{number:08}" for number in range(_RUNS - 1, _RUNS - 20, -1)]
    _check(len(line["runs"]) == 20 and line["runs"][1:] == copies, line)


def _check(right: bool, line: dict[str, Any]) -> None:
    if not right:
        raise Failed(f"said {line}")


_CHECKS = {
    "steps": _are_all,
    "trigger": _is_result,
    "prepare": _are_all,
    "replay": _are_all,
    "fill": _are_filled,
    "list": _are_newest,
    "many": _are_all,
}
