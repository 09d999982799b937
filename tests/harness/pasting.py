"""Hints as a person pastes them: into a real shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.conftest import Project, Result


def hint_of(result: Result) -> str:
    """The command behind `try:`, or behind a colon, without what explains it."""
    found = re.findall(r"^(?:try|.*go on where it was|.*or make one): (.*)$", result.err, re.M)
    assert found, result
    return str(found[-1]).split("    (")[0]


def paste(project: Project, command: str, cwd: Path, **env: str | None) -> Result:
    """What comes of the command in a bash of the project's user; None takes a variable away."""
    variables = project.env | env
    done = subprocess.run(
        ("bash", "-c", command),
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def without_data(command: str) -> str:
    """The command without the data folder that tests choose."""
    return re.sub(r"\bDURABLY_DATA_DIR=\S+ ", "", command)
