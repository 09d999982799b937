"""What a project is, where it is, and which files are its jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints, program
from durably_cli.errors import ConfigError, DurablyError
from durably_cli.project import naming
from durably_cli.project.script_files import is_script
from durably_cli.system.files import working_directory
from durably_cli.system.folders import data_folder

PROJECT_VARIABLE = "DURABLY_PROJECT"

WORKING_DIRECTORY = "the working directory"
VIRTUAL_ENVIRONMENT = "the virtual environment that durably runs from"


class Project(NamedTuple):
    """The real path of a project's folder, what led there, and by which path, links and all."""

    folder: Path
    source: str
    reached_by: Path


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
        has_gone = not folder.exists()
        if has_gone and not _has_runs(folder):
            what = "script" if is_script(folder) else "project folder"
            raise ConfigError(f"the {what} {folder}{source} does not exist")
        if not (has_gone or is_project(folder)):
            raise _no_project(folder, source)
        source = "--project" if given else PROJECT_VARIABLE
        reached_by = Path(os.path.abspath(named))
        is_there = os.path.realpath(reached_by) == str(folder)  # behind a link `..` leads elsewhere
        return Project(folder, source, reached_by if is_there else folder)
    return _nearest(start)


def project_of_file(source: Path) -> Path:
    """The project of a file that defines jobs: DURABLY_PROJECT, else the nearest upwards.

    Else it is a script, and so is the one that this process was started as. ConfigError if it is
    no file.
    """
    if program.is_process_of(source):
        return source
    if os.environ.get(PROJECT_VARIABLE):
        return find_project()
    for folder in source.parents:
        if is_project(folder):
            return folder
    return source if source.is_file() else find_project(start=source.parent)


def _no_project(folder: Path, source: str) -> ConfigError:
    """The error for a folder, or a file, that is named and is none; perhaps it is inside of one."""
    above = next(filter(is_project, folder.parents), None)
    if above is not None:
        make = f", or make one: {hints.command('init', folder)}"
        may_be_one = folder.is_dir() and above / "jobs" not in (folder, *folder.parents)
        return ConfigError(
            f"{folder}{source} is no project, but inside of one: {above}",
            hint=f"name that, -C {hints.quoted(above)}{make if may_be_one else ''}",
        )
    if not folder.is_dir():
        return ConfigError(f"{folder}{source} is no project: a script is one if it has @define_job")
    return ConfigError(
        f"{folder}{source} is no project: it has no jobs/ folder and no [tool.durably]",
        hint=hints.command("init", folder),
    )


def _nearest(start: Path | None = None) -> Project:
    begin = (start or working_directory()).resolve()
    if start is None and not is_project(begin) and (script := _script_in(begin)):
        return Project(script, WORKING_DIRECTORY, script)
    for folder in (begin, *begin.parents):
        if is_project(folder):
            reached_by = _as_the_shell_says(begin, folder) if start is None else folder
            return Project(folder, WORKING_DIRECTORY, reached_by)
    home_of_venv = Path(sys.prefix).parent.resolve()
    if sys.prefix != sys.base_prefix and is_project(home_of_venv):
        reached_by = Path(os.path.abspath(sys.argv[0])).parent.parent.parent
        is_there = os.path.realpath(reached_by) == str(home_of_venv)
        return Project(home_of_venv, VIRTUAL_ENVIRONMENT, reached_by if is_there else home_of_venv)
    raise ConfigError(
        f"there is no project here: no jobs/ folder and no [tool.durably] in {begin} or above",
        hint="go into your project, or name it, -C PROJECT, or make one: "
        + hints.command("init", begin),
    )


def _script_in(folder: Path) -> Path | None:
    """The script of this folder that has runs; None if there is none.

    ConfigError if there are several.
    """
    found = sorted(_scripts_with_runs(folder))
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} scripts in {folder} have runs: name one of them",
            hint="\n".join(hints.command("-C", each.name, "list") for each in found),
        )
    return found[0] if found else None


def _scripts_with_runs(folder: Path) -> Iterator[Path]:
    """Those whose stores are there: a store is named by the script and the hash of its path."""
    try:
        stores = os.listdir(data_folder())
    except (DurablyError, OSError):
        return
    for store in stores:
        script = folder / store[:-9]
        if naming.store_name(script) == store and is_script(script):
            yield script


def _has_runs(script: Path) -> bool:
    """Is there a store of that script, which may be gone?"""
    return script in _scripts_with_runs(script.parent)


def _as_the_shell_says(begin: Path, folder: Path) -> Path:
    """The folder, at or above the working directory, by the path that a shell went there."""
    shell = os.environ.get("PWD", "")
    if not os.path.isabs(shell) or os.path.realpath(shell) != str(begin):
        return folder
    for above in (Path(shell), *Path(shell).parents):
        if os.path.realpath(above) == str(folder):
            return above
    return folder


def is_found_from_here(project: Path) -> bool:
    """Does a command that is called here, and names no project, find this one for certain?"""
    if os.environ.get(PROJECT_VARIABLE):
        return False
    try:
        return _nearest().folder == project
    except (ConfigError, OSError):  # of a working directory that cannot be read
        return False


def is_project(folder: Path) -> bool:
    """Does the folder have a `jobs` folder, or a pyproject.toml with [tool.durably]?

    A script is one, too.
    """
    if (folder / "jobs").is_dir():
        return True
    try:
        if folder.is_file():
            return b"define_job" in folder.read_bytes()
        text = (folder / "pyproject.toml").read_bytes()
    except OSError:
        return False
    return any(line.strip().startswith(b"[tool.durably") for line in text.splitlines())


def is_another_project(old: Path, project: Path) -> bool:
    """Do both have jobs, and less than half of the fewer in common? A release has more."""
    try:
        if not is_project(old) or os.path.samefile(old, project):
            return False
        one, other = ({path.relative_to(p) for path in job_files(p)} for p in (old, project))
    except (ConfigError, OSError):  # of one without modules, or that may not be read
        return False
    fewer = min(len(one), len(other))
    return len(one & other) * 2 < fewer


def job_files(project: Path) -> Iterator[Path]:
    """The files of the project's job modules, in order; names that begin with _ are left out.

    ConfigError if there is no folder `jobs`.
    """
    if is_script(project):
        yield project
        return
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


def stem_of(path: Path) -> str:
    """The name of a job module's file, or of its folder if that is a package."""
    return path.parent.name if path.name == "__init__.py" else path.stem
