"""What there is to say where a list of runs is empty."""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.whose import is_perhaps_of_others, why_empty
from durably_cli.errors import ConfigError
from durably_cli.project.places import job_files
from durably_cli.system.folders import DATA_VARIABLE
from durably_cli.values.visible import visible_lines


def no_runs(store: Store, project: Path, *, filtered: bool) -> str:
    """Why nothing is listed, and the command that makes the first run of a project."""
    if next(store.run_ids(), None) is not None:
        said = f"no run{' fits' if filtered else 's'} in {store.root}"
    elif is_perhaps_of_others():
        said = f"no runs in {store.root}{why_empty(store)}"
    else:
        data = store.root.parent
        is_named = bool(os.environ.get(DATA_VARIABLE)) and not data.is_dir()
        where = f": there is no folder {data}, which {DATA_VARIABLE} names" if is_named else ""
        said = f"no runs yet{where}\ntry: {_first_command(project)}"
    return visible_lines(said)


def _first_command(project: Path) -> str:
    """It goes by the names of files: to know the jobs, they would have to be imported."""
    try:
        names = [path.stem for path in job_files(project)]
    except (ConfigError, OSError):
        names = []
    if len(names) == 1:
        return hints.command("trigger", names[0].replace("_", "-"))
    return hints.command("jobs")
