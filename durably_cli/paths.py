"""Places: the project, and the folder of its journals."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from durably_cli import files, hints
from durably_cli.errors import Busy, ConfigError, Forbidden
from durably_cli.files import working_directory
from durably_cli.store import Store, View

DATA_VARIABLE = "DURABLY_DATA_DIR"
CACHE_VARIABLE = "DURABLY_CACHE_DIR"
PROJECT_VARIABLE = "DURABLY_PROJECT"

WORKING_DIRECTORY = "the working directory"
VIRTUAL_ENVIRONMENT = "the virtual environment that durably runs from"


class Project(NamedTuple):
    """The real path of a project's folder, and what led there."""

    folder: Path
    source: str


def find_project(given: str | os.PathLike[str] | None = None, start: Path | None = None) -> Path:
    """The folder of `locate_project`."""
    return locate_project(given, start).folder


def locate_project(
    given: str | os.PathLike[str] | None = None, start: Path | None = None
) -> Project:
    """The project: the one given, else DURABLY_PROJECT, else the nearest upwards.

    "Nearest" begins at `start`, the working directory by default; last comes the folder that holds
    the virtual environment durably runs from, so that a crontab line needs one path and no more.
    ConfigError if there is none.
    """
    chosen = given or os.environ.get(PROJECT_VARIABLE)
    if chosen:
        named = os.path.expanduser(chosen)
        if not os.path.isabs(named):
            named = os.path.join(working_directory(), named)
        folder = Path(os.path.realpath(named))
        source = "" if given else f" (from {PROJECT_VARIABLE})"
        if not folder.is_dir():
            raise ConfigError(f"the project folder {folder}{source} does not exist")
        if not is_project(folder):
            raise ConfigError(
                f"{folder}{source} is no project: it has no jobs/ folder and no [tool.durably]",
                hint=hints.command("init", folder),
            )
        return Project(folder, "--project" if given else PROJECT_VARIABLE)
    return _nearest(start)


def _nearest(start: Path | None = None) -> Project:
    begin = (start or working_directory()).resolve()
    for folder in (begin, *begin.parents):
        if is_project(folder):
            return Project(folder, WORKING_DIRECTORY)
    home_of_venv = Path(sys.prefix).parent.resolve()
    if sys.prefix != sys.base_prefix and is_project(home_of_venv):
        return Project(home_of_venv, VIRTUAL_ENVIRONMENT)
    raise ConfigError(
        f"there is no project here: no jobs/ folder and no [tool.durably] in {begin} or above",
        hint="go into your project, or name it, -C PROJECT, or make one: "
        + hints.command("init", begin),
    )


def is_found_from_here(project: Path) -> bool:
    """Does a command that is called here, and names no project, find this one for certain?"""
    if os.environ.get(PROJECT_VARIABLE):
        return False
    try:
        return _nearest().folder == project
    except (ConfigError, OSError):  # of a working directory that cannot be read
        return False


def hints_in(project: Path) -> AbstractContextManager[None]:
    """Inside, hints of this thread are for this project: Python code triggers a job of it."""
    finds_project = is_found_from_here(project)
    return hints.in_project(project, data_folder(), finds_project=finds_project)


def is_project(folder: Path) -> bool:
    """Does the folder have a `jobs` folder, or a pyproject.toml with [tool.durably]?"""
    if (folder / "jobs").is_dir():
        return True
    try:
        text = (folder / "pyproject.toml").read_bytes()
    except OSError:
        return False
    return any(line.strip().startswith(b"[tool.durably") for line in text.splitlines())


def job_files(project: Path) -> Iterator[Path]:
    """The files of the project's job modules, in order; names that begin with _ are left out.

    ConfigError if there is no folder `jobs`.
    """
    folder = project / "jobs"
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no folder {folder}", hint=hints.command("init", project)
        ) from None
    for name in names:
        if name.startswith(("_", ".")):
            continue
        path = folder / name
        if name.endswith(".py") and path.is_file():
            yield path
        elif (path / "__init__.py").is_file():
            yield path / "__init__.py"


def data_folder() -> Path:
    """The folder of all journals: DURABLY_DATA_DIR, else the user's data folder of the platform."""
    chosen = _chosen_folder(DATA_VARIABLE)
    if chosen is None:
        import platformdirs  # asked only where the variable is not set

        chosen = platformdirs.user_data_path("durably").absolute()
    return chosen


def cache_folder() -> Path:
    """The folder of what may be forgotten: DURABLY_CACHE_DIR, else the user's cache folder."""
    chosen = _chosen_folder(CACHE_VARIABLE)
    if chosen is None:
        import platformdirs  # asked only where the variable is not set

        chosen = platformdirs.user_cache_path("durably").absolute()
    return chosen


def store_folder(project: Path) -> Path:
    """Where the journals of this project are: its name, and the crc32 of its path."""
    return data_folder() / f"{project.name or 'root'}-{crc32(os.fsencode(project)):08x}"


def open_store(project: Path, *, to_write: bool = False) -> Store:
    """The store of a project; made if it is `to_write` and there is none.

    Forbidden if the data folder is not this user's alone; ConfigError if it is on a network file
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
        if isinstance(run, View) and run.held:
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


def _chosen_folder(variable: str) -> Path | None:
    """The folder that an environment variable names. ConfigError if it is a relative one."""
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    folder = Path(os.path.expanduser(chosen))
    if not folder.is_absolute():
        raise ConfigError(
            f"{variable} is {chosen}, which is another folder in every working directory",
            hint=f"give it a path from the root: {variable}={hints.quoted(folder.absolute())}",
        )
    return folder
