"""What programs of a run have printed, where that is too much for their results.

    <run id>.programs/1.stdout      what the result of a step names as `stdout_file`
    <run id>.programs/supervisor.*  held by who supervises them; gone when they have ended

They belong to their run, and no line of its journal depends on them.
"""

from __future__ import annotations

import re
from pathlib import Path

from durably_cli.system import files

PROGRAMS = ".programs"
"""What stands behind the run's id in the name of the folder."""

_OUTPUT = re.compile(r"\d{1,9}\.(?:stdout|stderr)")
_OURS = re.compile(r"\d{1,9}\.(?:stdout|stderr)|supervisor\.[0-9a-f]{16}\.tmp")


def folder_of(journal: Path) -> Path:
    """The folder of the run whose journal this is."""
    return journal.with_suffix(PROGRAMS)


def outputs_of(journal: Path) -> list[Path]:
    """The files of what its programs have printed."""
    folder = folder_of(journal)
    return [folder / name for name in sorted(files.names(folder)) if is_output(name)]


def is_output(name: str) -> bool:
    """Can a file of output have this name?"""
    return _OUTPUT.fullmatch(name) is not None


def is_of_programs(name: str) -> bool:
    """Can a file have this name that durably has put into such a folder?"""
    return _OURS.fullmatch(name) is not None
