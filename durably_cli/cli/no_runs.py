"""What there is to say where a list of runs is empty."""

from __future__ import annotations

from pathlib import Path

from durably_cli import hints
from durably_cli.engines.runs import Runs
from durably_cli.errors import ConfigError
from durably_cli.project.places import job_files
from durably_cli.values.visible import visible_lines


def no_runs(runs: Runs, project: Path, *, filtered: bool) -> str:
    """Why nothing is listed, and the command that makes the first run of a project."""
    if next(runs.run_ids(), None) is not None:
        said = f"no run{' fits' if filtered else 's'} in {runs.place}"
    elif runs.may_be_of_others():
        said = f"no runs in {runs.place}{runs.why_none()}"
    else:
        lacks = runs.lacks_place()
        said = f"no runs yet{lacks and ': '}{lacks}\ntry: {_first_command(project)}"
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
