"""Bringing the runs of a project along, which was moved, or goes by a name from now on."""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Busy, ConfigError
from durably_cli.project import naming, project_file
from durably_cli.project.places import is_another_project, is_project
from durably_cli.project.stores import (
    folder_of_path,
    has_runs,
    project_files,
    refuse_network,
    store_folder,
)
from durably_cli.system import files
from durably_cli.system.folders import data_folder


def adopt(old: Path, project: Path) -> Path:
    """Bring the runs here of a project that was at `old`; the store's folder.

    It was moved, or this one has got a name by which it keeps them, or has no longer one.
    ConfigError if there are none, or this project has runs of its own. Killed anywhere, it can be
    run again.
    """
    name, target = naming.project_name(project), store_folder(project)
    refuse_network(target)
    old, source = _source_of(old, project)
    if source is not None and (source != target or is_project(old)):
        _refuse_others(old, source, project, target)
        _refuse_held(Store(source))
        if has_runs(target) or (target / "keys").exists():
            raise ConfigError(
                f"{project} has runs of its own in {target}; those of {old} stay in {source}"
            )
        if target.exists():
            files.remove_folder(target)
        os.rename(source, target)
        files.sync_folder(target.parent)
    else:
        found = project_file.read(target)
        if found is None or found.project != str(old):
            what = f"there are no runs of {old}"
            if not old.exists():
                what = f"there is nothing at {old}, and no runs of a project that was there"
            raise ConfigError(
                f"{what} in {target.parent}",
                hint=f"{hints.command('info')}    (shows where the runs of this project are)",
            )
    project_file.write(target, project, name)
    return target


def stood_at(path: Path) -> bool:
    """Was there a project here before, of which there are runs; and what is here now no bundle?"""
    if not has_runs(folder_of_path(Path(os.path.normpath(path)))):
        return False
    with open(path, "rb") as file:
        return file.read(2) != _GZIP


_GZIP = b"\x1f\x8b"


def _source_of(old: Path, project: Path) -> tuple[Path, Path | None]:
    """The path by which the store of `old` knows it, and that store; None if there is none."""
    plain = Path(os.path.normpath(old))
    candidates = (plain, Path(os.path.realpath(old)))
    for path in candidates:
        if folder_of_path(path).exists():
            return path, folder_of_path(path)
    if naming.project_name(project) is None:
        for folder, found in project_files(data_folder()):
            if found.name is not None and found.project in map(str, candidates):
                return Path(found.project), folder
    return plain, None


def _refuse_others(old: Path, source: Path, project: Path, target: Path) -> None:
    """ConfigError if the runs are of a project that lives on at `old`, and is none of this one."""
    found = project_file.read(source)
    if source != target and found is not None and found.is_of_folder(project):
        return
    if naming.project_name(project) is None and is_project(old):
        to_name = (
            f"if both are releases of one, set {naming.NAME_VARIABLE} to its name, then import"
        )
        raise ConfigError(
            f"{old} is still a project: its runs are its own, and stay with it",
            hint=None if source == target else to_name,
        )
    if is_another_project(old, project):
        raise ConfigError(f"{old} is another project: it has other jobs, and keeps its runs")


def _refuse_held(store: Store) -> None:
    for run in store.views():
        if isinstance(run, RunView) and run.held:
            raise Busy(
                f"run {run.run_id} is executing, in a process that began before the move",
                hint="wait for its end, and import then",
            )
