"""The folder that a job runs in, whoever calls from wherever: its project's.

A run of a script, or one that Python code triggered, goes on in the folder that it was triggered
in, if that is still there.
A run of durably 0.1 has no folder of its own, and goes on where the command is called, as it did
then.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from durably_cli.errors import ConfigError
from durably_cli.journal.events import RunCreated
from durably_cli.system.files import working_directory
from durably_cli.system.ids import short
from durably_cli.values.strict_json import printable

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def current() -> str:
    """The working directory, as journals write it; empty if it is no longer there."""
    try:
        return printable(str(working_directory()))
    except ConfigError:
        return ""


def enter_for(created: RunCreated, project: Path, home: Path, say: Callable[[str], object]) -> None:
    """Go to the folder of a run: that of its project as it is now, or the one it has of its own.

    If that is gone, the run goes on in its project's, the `home`, and that is said. ConfigError if
    it is there and cannot be entered.
    """
    if not created.folder:
        return
    if created.folder != created.project:
        for folder in _places_of(created, project):
            if _entered(folder, created):
                return
        was = f"{created.folder}, where the run was triggered, is gone"
        say(f"{was}: it goes on in {home}")
    os.chdir(home)


def _places_of(created: RunCreated, project: Path) -> Iterator[str]:
    """Where the run's folder may be: in the project's place now, or where it was."""
    old = created.project
    if printable(str(project)) != old and os.path.isabs(old) and os.path.isabs(created.folder):
        inside = os.path.relpath(created.folder, old)
        if inside.split(os.sep, 1)[0] != os.pardir:
            yield from _names_of(os.path.join(project, inside))
    yield from _names_of(created.folder)


def _names_of(folder: str) -> Iterator[str]:
    """The folder, and the one whose name is not UTF-8, which journals spell the same way."""
    yield folder
    spelled = re.sub(
        r"\\udc([89a-f][0-9a-f])", lambda found: chr(0xDC00 + int(found[1], 16)), folder
    )
    if spelled != folder:
        yield spelled


def _entered(folder: str, created: RunCreated) -> bool:
    try:
        os.chdir(folder)
    except ValueError:  # no folder of any machine has such a name
        return False
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise ConfigError(
            f"run {short(created.run)} runs in {created.folder}, where it was triggered, "
            f"and that folder cannot be entered: {error.strerror}",
            hint="make it a folder that you may enter, or move it away: the run then goes on in "
            "its project's",
        ) from None
    return True


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
