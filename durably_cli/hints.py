"""Commands and paths as a person can paste them: quoted, of this very durably, for this project.

A hint is typed into the shell that called durably, unless it is read elsewhere: a mail, a page.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple


class _Caller(NamedTuple):
    """Where hints are typed: the working directory (None if it is gone), and the PATH there."""

    folder: str | None
    path: str | None
    project: str | None = None
    finds_project: bool = False
    is_command_line: bool = False


_caller: _Caller | None = None
_read_elsewhere = False

_OF_NO_PROJECT = ("help", "init")
"""The commands that are for any folder."""

_DATA_VARIABLES = ("DURABLY_DATA_DIR", "XDG_DATA_HOME")
"""What says where the data is, and another shell need not have; the first one counts."""


def called(project: str | os.PathLike[str], *, finds_project: bool) -> None:
    """Remember where a command was called, before its job goes to another folder or changes PATH.

    `finds_project` says whether a command that is typed there finds the project without -C.
    """
    global _caller
    _caller = _here()._replace(
        project=os.fspath(project), finds_project=finds_project, is_command_line=True
    )


@contextmanager
def about(project: str | os.PathLike[str], *, finds_project: bool) -> Iterator[None]:
    """Inside, hints are about the project of a job that Python code triggers.

    Where a command was called stays; what it was called for is back at the end.
    """
    global _caller
    before = _caller
    here = before if before and before.is_command_line else _here()
    _caller = here._replace(project=os.fspath(project), finds_project=finds_project)
    try:
        yield
    finally:
        if here is before:
            _caller = before


def are_read_elsewhere() -> None:
    """From now on every command can be pasted anywhere: what is said goes into a mail."""
    global _read_elsewhere
    _read_elsewhere = True


def command(*words: str | os.PathLike[str]) -> str:
    """`durably WORDS` as it can be pasted into the shell that called."""
    caller = _caller or _here()
    if _read_elsewhere:
        return command_anywhere(caller.project, *words)
    project = None if caller.finds_project else caller.project
    return _joined(_program(caller.folder, caller.path), project, words)


def command_in(folder: str | os.PathLike[str], *words: str | os.PathLike[str]) -> str:
    """The same for the project in that folder: first goes there, and stays there."""
    program = _program(None, (_caller or _here()).path)
    return f"cd {quoted(folder)} && {_joined(program, None, words)}"


def command_anywhere(project: str | os.PathLike[str] | None, *words: str | os.PathLike[str]) -> str:
    """`durably WORDS` for that project as it can be pasted into any shell of this user's."""
    found = next((name for name in _DATA_VARIABLES if os.environ.get(name)), None)
    where = f"{found}={quoted(os.environ[found])} " if found else ""
    return where + _joined(_program(None, None), project, words)


def quoted(word: str | os.PathLike[str]) -> str:
    """A word as a shell reads it back.

    What a terminal would not show as it is, is spelled out as bash, zsh and ksh read it. A NUL,
    which no command line can hold, comes back as a backslash and a zero.
    """
    import shlex  # only for hints

    text = os.fspath(word)
    if text.isprintable():
        safe = shlex.quote(text)
        return f"'{text}'" if safe.startswith("=") else safe  # zsh reads =ls as /bin/ls
    return f"$'{''.join(map(_spelled, text))}'"


def _spelled(character: str) -> str:
    if character.isprintable() and character not in "\\'!":
        return character
    if character == "\0":
        return "\\1340"
    try:
        data = os.fsencode(character)
    except UnicodeEncodeError:  # half a surrogate pair
        data = character.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)


def _joined(
    program: str,
    project: str | os.PathLike[str] | None,
    words: tuple[str | os.PathLike[str], ...],
) -> str:
    named = () if project is None or words[0] in _OF_NO_PROJECT else ("-C", project)
    return " ".join((program, *map(quoted, (*named, *words))))


def _here() -> _Caller:
    try:
        folder = os.getcwd()
    except OSError:
        folder = None
    path = os.environ.get("PATH")
    if path and folder:  # relative parts of it are of this folder, and a job goes to another one
        path = os.pathsep.join(os.path.join(folder, part) for part in path.split(os.pathsep))
    return _Caller(folder, path)


@cache
def _program(folder: str | None, path: str | None) -> str:
    """This durably as it is called from the folder with that PATH; None is any folder or PATH."""
    script = os.path.join(os.path.dirname(sys.executable or ""), "durably")
    if not (os.path.isabs(script) and os.access(script, os.X_OK)):
        return f"{quoted(sys.executable)} -m durably_cli" if sys.executable else "durably"
    if path is not None and _is_first_on(path, script):
        return "durably"
    if folder is not None and script.startswith(folder + os.sep):
        script = os.path.relpath(script, folder)
        return quoted(script if os.sep in script else os.path.join(".", script))
    return quoted(script)


def _is_first_on(path: str, script: str) -> bool:
    import shutil  # only for hints

    found = shutil.which("durably", path=path)
    try:
        return found is not None and os.path.samefile(found, script)
    except OSError:
        return False
