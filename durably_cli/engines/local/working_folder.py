"""The folder that a job runs in, whoever calls from wherever: its project's.

A run that Python code triggered goes on in the folder that the code was in. A run of durably 0.1
has no folder of its own, and goes on where the command is called, as it did then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from durably_cli.errors import ConfigError
from durably_cli.journal.events import RunCreated
from durably_cli.system.files import working_directory
from durably_cli.system.ids import short
from durably_cli.values.strict_json import printable


def current() -> str:
    """The working directory, as journals write it; empty if it is no longer there."""
    try:
        return printable(str(working_directory()))
    except ConfigError:
        return ""


def enter_for(created: RunCreated, project: Path) -> None:
    """Go to the folder of a run: that of its project as it is now, or the one it has of its own.

    ConfigError if that is no longer there.
    """
    if created.folder and created.folder != created.project:
        try:
            os.chdir(created.folder)
        except OSError as error:
            raise ConfigError(
                f"run {short(created.run)} runs in {created.folder}, where Python code triggered "
                f"it, and that folder cannot be entered: {error.strerror}",
                hint="bring the folder back",
            ) from None
    elif created.folder:
        os.chdir(project)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Inside, the process is in this folder; then it is back where it was."""
    before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def from_project(typed: str, project: Path) -> str:
    """A path as it was typed in the working directory, as it reads in the project's folder.

    Relative if it lies inside of that, so that another release of the project, or another copy,
    takes the same input; else absolute. `-` and what begins with `~` are left to the job.
    """
    if typed == "-" or typed.startswith("~"):
        return typed
    path = typed if os.path.isabs(typed) else os.path.join(working_directory(), typed)
    if os.pardir in Path(path).parts:  # behind a link it leads elsewhere than its text says
        path = os.path.realpath(path)
    path = os.path.normpath(path)
    folder, name = os.path.split(path)
    for candidate in (path, os.path.join(os.path.realpath(folder), name)):
        relative = os.path.relpath(candidate, project)
        if relative == "-" or relative.startswith("~"):  # which a job may read as something else
            return path
        if relative.split(os.sep, 1)[0] != os.pardir:
            return relative
    return path
