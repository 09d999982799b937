"""The words that call this durably: its own script, or the user's one that this process is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, TypeVar

W = TypeVar("W", bound="str | os.PathLike[str]")


class StartedScript(NamedTuple):
    """The script that this process is, the job that it runs, and the words that start it."""

    path: str
    job: str
    starter: tuple[str, ...]

    def called(self, folder: str | None, path: str | None) -> list[str]:
        """Its starter, as it is typed in that folder, with that PATH; None is any of them."""
        return [_typed(word, folder, path) for word in self.starter]

    def without_job(self, words: tuple[W, ...]) -> tuple[W, ...]:
        """What is typed behind its name, for which `trigger JOB` need not be said."""
        if words[:2] == ("trigger", self.job):
            return words[2:]
        names_none = all(str(word).startswith("-") for word in words[1:2])
        return words[1:] if words[:1] == ("trigger",) and names_none else words


_script: StartedScript | None = None


def started_as(script: str | os.PathLike[str], job: str, starter: Iterable[str]) -> None:
    """From now on, commands for this script are typed behind its own name."""
    global _script
    _script = StartedScript(os.fspath(script), job, tuple(starter))


def is_process_of(script: str | os.PathLike[str]) -> bool:
    """Was this process started as that script, or as one of that project?"""
    return _script is not None and _script.path == os.fspath(script)


def script_of(project: str | os.PathLike[str] | None) -> StartedScript | None:
    """The script that this process is, if that is the project, or none is known yet."""
    is_other = _script is not None and project is not None and _script.path != os.fspath(project)
    return None if is_other else _script


@cache
def of_this(folder: str | None, path: str | None) -> list[str]:
    """This durably as it is called from the folder with that PATH; None is any folder or PATH."""
    python = getattr(sys, "executable", "") or ""  # a job may have taken it away
    script = os.path.join(os.path.dirname(python), "durably")
    if not (os.path.isabs(script) and os.access(script, os.X_OK)):
        return [python, "-m", "durably_cli"] if python else ["durably"]
    if path is not None and _is_first_on(path, script, folder):
        return ["durably"]
    return [_from(folder, script)]


def _typed(word: str, folder: str | None, path: str | None) -> str:
    """A program by its name if PATH has it, and a file by its path from the folder."""
    if not os.path.isabs(word):
        return word
    from shutil import which  # only for hints of scripts

    name = os.path.basename(word)
    is_found = path is not None and which(name, path=path) == word
    return name if is_found else _from(folder, word)


def _from(folder: str | None, file: str) -> str:
    """A file as it is typed in the folder: where it lies inside, by its path from there."""
    if folder is None or not file.startswith(folder + os.sep):
        return file
    file = os.path.relpath(file, folder)
    return file if os.sep in file else os.path.join(".", file)


def _is_first_on(path: str, script: str, folder: str | None) -> bool:
    """Does `durably` mean this script in every folder?

    Entries of PATH that are no path from the root are of the folder, and of no other one.
    """
    for entry in path.split(os.pathsep):
        found = os.path.join(folder or os.sep, entry, "durably")
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return os.path.isabs(entry) and os.path.samefile(found, script)
    return False
