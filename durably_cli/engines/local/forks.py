"""Which runs were made of a run: each has an empty file in a folder beside its journal."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from durably_cli.system import files, ids

SUFFIX = ".forks"
"""What stands behind the run's id in the name of the folder."""


def folder_of_forks(journal: Path) -> Path:
    """The folder of the run whose journal this is."""
    return journal.with_suffix(SUFFIX)


def forks_of(journal: Path) -> list[str]:
    """The runs that were made of this journal's run, and are there still, oldest first.

    None if that cannot be looked at, as by a job that has given up its user.
    """
    days, names = journal.parents[1], list[str]()
    with suppress(OSError):
        names = files.names(folder_of_forks(journal))
    found = sorted(name for name in names if ids.is_id(name))
    return [run for run in found if os.path.lexists(days / ids.day(run) / f"{run}.jsonl")]
