"""The CPU of a step beside that of an earlier durably, in one run.

    python -m tests.benchmarks.before [COMMIT]

A work tree of the commit, f286f5e by default, is made in tests/benchmarks/.peers, and installed in
a virtual environment of its own. The two take turns; a ratio is that of their medians.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.peers.packages import DEFAULT_FOLDER
from tests.harness.examples import REPOSITORY

COMMIT = "f286f5e"
STEPS, TURNS = 10_000, 7
PROGRAM = Path(__file__).parent / "programs" / "cpu_of_steps.py"
GOALS = {"steps": 1.05, "replay": 1.0, "resume": 1.0}


def installed(commit: str) -> Path:
    """The interpreter that has the durably of that commit."""
    folder = DEFAULT_FOLDER / f"durably-{commit}"
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        git = ("git", "-C", str(REPOSITORY), "worktree", "add", "--detach")
        subprocess.run([*git, str(folder), commit], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / ".venv")], check=True)
        subprocess.run([python, "-m", "pip", "-q", "install", "-e", str(folder)], check=True)
    return python


def cpu_of(python: Path, what: str) -> float:
    done = subprocess.run(
        [python, PROGRAM, what, str(STEPS)],
        cwd=Path(python).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout)["us"])


def main(commit: str = COMMIT) -> None:
    before, now = installed(commit), Path(sys.executable)
    for what, goal in GOALS.items():
        found: dict[Path, list[float]] = {before: [], now: []}
        for _ in range(TURNS):
            for python in found:
                found[python].append(cpu_of(python, what))
        was, is_now = (statistics.median(found[python]) for python in (before, now))
        print(f"{what:8} {is_now:6.2f} us, {commit} {was:6.2f}, {is_now / was:.3f} (goal {goal})")


if __name__ == "__main__":
    main(*sys.argv[1:])
