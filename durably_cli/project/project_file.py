"""`project.json`: which project a store is of, and which folder that was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from durably_cli.errors import Forbidden
from durably_cli.system import files

_NAME = "project.json"
_MOST_BYTES = 65_536


class ProjectFile(NamedTuple):
    """What it says, and when that was written, in nanoseconds.

    `project` is the path of the folder that wrote it last, `name` the project's DURABLY_NAME.
    """

    project: str
    name: str | None
    inode: object
    written: int

    def is_of_folder(self, folder: Path) -> bool:
        """Is this the very folder, whatever its path is now?

        A folder that was made after the file was written is another one, which got the inode
        number of the first. Where nobody knows when it was made, the number decides.
        """
        status = os.stat(folder)
        if self.inode != [status.st_dev, status.st_ino]:
            return False
        from durably_cli.system.birth import born  # rarely needed

        made = born(folder)
        return made is None or made <= self.written


def read(store: Path) -> ProjectFile | None:
    """The project file of a store; None if there is none, or something else in its place."""
    try:
        with open(files.open_existing(store / _NAME), "rb") as file:
            written = os.fstat(file.fileno()).st_mtime_ns
            found = json.loads(file.read(_MOST_BYTES))
        if not isinstance(found, dict):
            return None
        project, name = found.get("project"), found.get("name")
        if not isinstance(project, str) or b"\0" in os.fsencode(project):
            return None
    except (OSError, ValueError, RecursionError, Forbidden):
        return None
    is_name = isinstance(name, str)
    return ProjectFile(project, name if is_name else None, found.get("inode"), written)


def write(store: Path, project: Path, name: str | None) -> None:
    """Say durably which project the store is of, and which folder that is, to know it if moved."""
    here = os.stat(project)
    content: dict[str, object] = {"project": str(project), "inode": [here.st_dev, here.st_ino]}
    if name is not None:
        content["name"] = name
    temporary = files.written(store / "tmp", _NAME, (json.dumps(content) + "\n").encode())
    os.rename(temporary, store / _NAME)
    files.sync_folder(store)
