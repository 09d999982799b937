"""The store of a project: where it is, and that it is this user's and this project's."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from zlib import crc32

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.errors import Busy, ConfigError, Forbidden
from durably_cli.project.places import is_found_from_here, is_project
from durably_cli.system import files
from durably_cli.system.folders import DATA_VARIABLE, data_folder


def store_folder(project: Path) -> Path:
    """Where the journals of this project are: its name, and the crc32 of its path."""
    return data_folder() / f"{project.name or 'root'}-{crc32(os.fsencode(project)):08x}"


def open_store(project: Path, *, to_write: bool = False) -> Store:
    """The store of a project; made if it is `to_write` and there is none.

    Forbidden if others may write in the data folder; ConfigError if it is on a network file
    system, or if its journals belong to a project of another path.
    """
    folder = store_folder(project)
    data = folder.parent
    hints.keep_runs_in(data)
    if data.exists():
        files.check_private(data)
    if not folder.exists():
        _refuse_moved(project, data)
        if to_write:
            files.make_folder(folder)
    if to_write:
        _refuse_network(folder)
    if folder.exists():
        for each in (folder, folder / "runs"):
            files.refuse_link(each)
        files.check_private(folder)
        _check_project(folder, project, to_write)
    return Store(folder)


def adopt(old: Path, project: Path) -> Path:
    """Bring the runs of a project that was moved here from `old`; the store's folder.

    ConfigError if there are none, or this project has runs of its own. Killed anywhere, it can be
    run again.
    """
    source, target = store_folder(old), store_folder(project)
    if is_project(old):
        raise ConfigError(f"{old} is still a project: its runs are its own, and stay with it")
    if source.exists():
        _refuse_held(Store(source))
        if (target / "runs").exists():
            raise ConfigError(
                f"{project} has runs of its own in {target}; those of {old} stay in {source}"
            )
        if target.exists():
            (target / "project.json").unlink(missing_ok=True)
            target.rmdir()
        os.rename(source, target)
        files.sync_folder(target.parent)
    elif _named(target) != str(old):
        raise ConfigError(
            f"there are no runs of {old} in {source.parent}",
            hint=f"{hints.command('info')}    (shows where the runs of this project are)",
        )
    _write_project(target, project)
    return target


def _refuse_held(store: Store) -> None:
    for run in store.views():
        if isinstance(run, RunView) and run.held:
            raise Busy(
                f"run {run.run_id} is executing, in a process that began before the move",
                hint="wait for its end, and adopt then",
            )


def _refuse_moved(project: Path, data: Path) -> None:
    """ConfigError if a store names a path where this very folder used to be."""
    here = os.stat(project)
    for folder in data.glob("*-????????"):
        old = _project_file(folder)
        if old.get("inode") != [here.st_dev, here.st_ino] or os.path.exists(str(old["project"])):
            continue
        raise ConfigError(
            f"this project was moved here from {old['project']}, and its runs are still filed "
            f"under that path, in {folder}",
            hint=f"{hints.command('adopt', str(old['project']))}    (brings them along)",
        )


def _check_project(folder: Path, project: Path, to_write: bool) -> None:
    named = _named(folder)
    if named is None:
        if to_write:
            _write_project(folder, project)
    elif named != str(project):
        raise ConfigError(
            f"the runs in {folder} belong to the project {named}, not to {project}",
            hint=f"{hints.command('adopt', named)}    (if that project is now this one)",
        )


def _named(folder: Path) -> str | None:
    found = _project_file(folder).get("project")
    return found if isinstance(found, str) else None


def _project_file(folder: Path) -> dict[str, object]:
    try:
        with open(files.open_existing(folder / "project.json"), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, Forbidden):
        return {}
    return found if isinstance(found, dict) else {}


def _write_project(folder: Path, project: Path) -> None:
    """Say which project the store is of, and which folder that was, to know it again if moved."""
    here = os.stat(project)
    content = {"project": str(project), "inode": [here.st_dev, here.st_ino]}
    fd, temporary = files.create(folder / "tmp", "project.json")
    try:
        files.write_all(fd, (json.dumps(content) + "\n").encode())
        files.sync(fd)
        os.rename(temporary, folder / "project.json")
    finally:
        os.close(fd)
    files.sync_folder(folder)


def _refuse_network(folder: Path) -> None:
    kind = files.network_file_system(folder)
    if kind:
        raise ConfigError(
            f"{folder} is on a network file system ({kind}), where locks cannot be trusted",
            hint=f"set {DATA_VARIABLE} to a folder on a local disk",
        )


def hints_in(project: Path) -> AbstractContextManager[None]:
    """Inside, hints of this thread are for this project: Python code triggers a job of it."""
    finds_project = is_found_from_here(project)
    return hints.in_project(project, data_folder(), finds_project=finds_project)
