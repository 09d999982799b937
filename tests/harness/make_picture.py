"""Make README's picture, from a run of its job that is killed and resumed.

The work of a step takes ten seconds there, so that what a resume saves is worth looking at.

python -m tests.harness.make_picture
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import Project
from tests.harness.examples import REPOSITORY, block

PICTURE = REPOSITORY / ".github" / "killed-and-resumed.svg"


def make(folder: Path, target: Path, seconds: int = 1) -> None:
    """Run README's job, kill it in its third step, resume it, and draw that."""
    project = Project(folder)
    job = block("python").replace("time.sleep(1)", f"time.sleep({seconds})")
    (project.root / "jobs" / "album.py").write_text(job)
    with project.start("trigger", "album") as process:
        assert process.stderr is not None
        for _ in range(3):
            process.stderr.readline()
        time.sleep(0.6 * seconds)
        os.kill(process.pid, signal.SIGKILL)
    project.run("resume", "@last")
    project.run("inspect", "@last", "--svg", str(target))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), PICTURE, seconds=10)
    print(f"made {PICTURE}", file=sys.stderr)
