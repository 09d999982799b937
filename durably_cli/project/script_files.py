"""One-file scripts: a Python file with a job, which is a project of its own."""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli import hints
from durably_cli.errors import ConfigError, NotFound


def is_script(project: Path) -> bool:
    """Is this project one file, be it there or not any more?"""
    return project.is_file() or (project.suffix == ".py" and not project.exists())


def home_of(project: Path) -> Path:
    """The folder of a project: of a script, the one that it lies in."""
    return project.parent if is_script(project) else project


def script_named(word: str) -> Path | None:
    """The script that a word in the place of a job names; None if it reads as a job's name.

    NotFound if there is no such file.
    """
    if os.sep not in word and not (word.endswith(".py") and os.path.isfile(word)):
        return None
    path = Path(os.path.realpath(os.path.expanduser(word)))
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise NotFound(f"the script {word} {what}", code="no-such-job")
    return path


def gone(script: Path) -> ConfigError:
    """The error for a script that has runs, and is not there any more."""
    return ConfigError(
        f"the script {script} is gone",
        hint=f"if it was moved, start it where it is now with: import {hints.quoted(script)}\n"
        "(which brings its runs along)",
    )
