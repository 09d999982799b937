"""The store of a project: where it is, and that it is this user's and this project's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from zlib import crc32

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.errors import ConfigError, Forbidden
from durably_cli.project import naming, project_file
from durably_cli.project.places import is_another_project, is_found_from_here, is_project
from durably_cli.system import file_systems, files
from durably_cli.system.folders import DATA_VARIABLE, data_folder


def store_folder(project: Path) -> Path:
    """Where the journals of this project are: by its name, if it has one, else by its path."""
    name = naming.project_name(project)
    return folder_of_path(project) if name is None else _folder_of_name(name)


def folder_of_path(project: Path) -> Path:
    """Where those of an unnamed project are."""
    return data_folder() / naming.store_name(project)


def _folder_of_name(name: str) -> Path:
    return data_folder() / f"{name}-{crc32(f'{naming.NAME_VARIABLE}={name}'.encode()):08x}"


def open_store(
    project: Path, *, to_write: bool = False, say: Callable[[str], object] | None = None
) -> Store:
    """The store of a project; made if it is `to_write` and there is none.

    Forbidden if others may write in the data folder; ConfigError if it is on a network file
    system, if its journals belong to another project, or if this project's are elsewhere.
    """
    name = naming.project_name(project)
    folder = store_folder(project)
    data = folder.parent
    hints.keep_runs_in(data)
    refuse_network(folder)
    if data.exists():
        files.check_private(data)
    if name is not None and not has_runs(folder):
        _refuse_unnamed_runs(project, name)
    if not folder.exists():
        if name is None:
            _refuse_runs_elsewhere(project, data)
        if to_write:
            _make(folder, data)
    if folder.exists():
        for each in (folder, folder / "runs"):
            files.refuse_link(each)
        files.check_private(folder)
        _check_project(folder, project, name, to_write=to_write, say=say)
    return Store(folder)


def _make(folder: Path, data: Path) -> None:
    """Forbidden if this user may have no data folder there, as one without a home.

    ConfigError if nobody may.
    """
    try:
        files.make_folder(folder)
    except OSError as error:
        what = f"the data folder {data} cannot be made: {error.strerror}"
        if data.exists():
            what = f"nothing can be made in the data folder {data}: {error.strerror}"
        hint = f"set {DATA_VARIABLE} to a folder that this user may write in"
        if error.errno in _DENIED:
            raise Forbidden(what, hint=hint) from None
        if error.errno in _NO_PLACE:
            raise ConfigError(what, hint=hint) from None
        raise


_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def _refuse_unnamed_runs(project: Path, name: str) -> None:
    """ConfigError if the project has got its name just now, and its runs are under its path."""
    unnamed = folder_of_path(project)
    if has_runs(unnamed):
        raise ConfigError(
            f"the runs that this project had before it was named {name} are filed under its path, "
            f"in {unnamed}",
            hint=f"{hints.command('import', project)}    (brings them along)",
        )


def _refuse_runs_elsewhere(project: Path, data: Path) -> None:
    """ConfigError if a store has the runs of this very folder, under a name or another path."""
    for folder, found in project_files(data):
        if not found.is_of_folder(project) or not has_runs(folder):
            continue
        if found.name is not None:
            if found.project != str(project):
                continue
            named = f"{naming.NAME_VARIABLE}={found.name}"
            raise ConfigError(
                f"the runs of this project are filed under its name, {found.name}, and "
                f"{naming.NAME_VARIABLE} is not set here",
                hint=f"{named} {hints.command('list')}    (or set it for good: export {named})",
            )
        if _is_another_way_to(found.project, project):
            raise ConfigError(
                f"this project is also {found.project}, and its runs are filed under that path, "
                f"in {folder}",
                hint=hints.command_anywhere(found.project, "list"),
            )
        raise ConfigError(
            f"this project was moved here from {found.project}, and its runs are still filed "
            f"under that path, in {folder}",
            hint=f"{hints.command('import', found.project)}    (brings them along)",
        )


def _is_another_way_to(path: str, project: Path) -> bool:
    """Does a path lead to this folder as well without a link, by a mount or in other letters?"""
    try:
        return os.path.realpath(path) == path and os.path.samefile(path, project)
    except OSError:
        return False


def _check_project(
    folder: Path,
    project: Path,
    name: str | None,
    *,
    to_write: bool,
    say: Callable[[str], object] | None,
) -> None:
    found = project_file.read(folder)
    if found is not None and found.name == name and found.project == str(project):
        return
    if found is not None and (found.name != name or name is None):
        raise ConfigError(
            f"the runs in {folder} belong to the project {found.name or found.project}, not to "
            f"{name or project}",
            hint=f"{hints.command('import', found.project)}    (if that project is now this one)",
        )
    if found is not None and is_another_project(Path(found.project), project):
        raise ConfigError(
            f"{naming.NAME_VARIABLE} is {name}, and that is the name of {found.project}, which is "
            f"another project than {project}: it has other jobs",
            hint=f"give this one a name of its own: {naming.NAME_VARIABLE}="
            f"{naming.as_name(f'{project.name}-2' if project.name == name else project.name)}",
        )
    if to_write:
        project_file.write(folder, project, name)
        if found is not None and say is not None and is_project(Path(found.project)):
            say(f"{name} is now {project}; until now it was {found.project}, which is still there")


def has_runs(folder: Path) -> bool:
    """Was a run ever made in this store?"""
    return os.path.exists(folder / "runs")


def project_files(data: Path) -> Iterator[tuple[Path, project_file.ProjectFile]]:
    """The stores in the data folder that say which project they are of, and what they say."""
    for folder in data.glob("*-????????"):
        found = project_file.read(folder)
        if found is not None:
            yield folder, found


def refuse_network(folder: Path) -> None:
    """ConfigError if the folder is on a network file system, or would be made there.

    Whoever only looks asks locks too: whether a run was interrupted.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if kind := file_systems.network_file_system(there):
        raise ConfigError(
            f"{folder} is on a network file system ({kind}), where locks cannot be trusted",
            hint=f"set {DATA_VARIABLE} to a folder on a local disk (cp -a brings runs along)",
        )


def hints_in(project: Path) -> AbstractContextManager[None]:
    """Inside, hints of this thread are for this project: Python code triggers a job of it."""
    finds_project = is_found_from_here(project)
    return hints.in_project(project, data_folder(), finds_project=finds_project)
