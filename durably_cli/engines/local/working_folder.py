"""The folder that a job runs in, whoever calls from wherever: its project's.

A run that Python code triggered goes on in the folder that the code was in. A run of durably 0.1
has no folder of its own, and goes on where the command is called, as it did then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from durably_cli.errors import ConfigError
from durably_cli.journal.events import RunCreated
from durably_cli.system.files import working_directory
from durably_cli.system.ids import short
from durably_cli.values.strict_json import printable

GONE = "(gone)"
"""What journals have for a working directory that was no longer there."""


def current() -> str:
    """The working directory, as journals write it."""
    try:
        return printable(str(working_directory()))
    except ConfigError:
        return GONE


def enter_for(created: RunCreated, project: Path) -> str | None:
    """Go to the folder of a run: that of its project as it is now, or the one it has of its own.

    Where that is not there, the project's folder has to do; then the text says so.
    """
    if not created.folder:
        return None
    if created.folder != created.project:
        for folder in _places_now(created, project):
            with suppress(OSError, ValueError):
                os.chdir(folder)
                return None
    os.chdir(project)
    if created.folder == created.project:
        return None
    return (
        f"run {short(created.run)} was triggered by Python code in {created.folder}, which is not "
        f"here; it goes on in {project}"
    )


def _places_now(created: RunCreated, project: Path) -> Iterator[str]:
    """Where the recorded folder may be: it moves along with the project that it lies in."""
    before = created.project.rstrip(os.sep) + os.sep
    if created.folder.startswith(before):
        yield os.path.join(project, created.folder.removeprefix(before))
    yield created.folder


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
