"""Commands and paths as a person can paste them: quoted, of this very durably, for this project.

A hint is typed into the shell that called durably, unless it is read elsewhere: a mail, a page.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import NamedTuple

from durably_cli import program
from durably_cli.quoting import quoted as quoted


class _Caller(NamedTuple):
    """Where hints are typed: the working directory (None if it is gone), and the PATH there.

    `data` is the data folder; None if that is not known yet, and no variable chose it. `name` is
    the name of the project there, and `engine` the one that was chosen for the call, or empty.
    """

    folder: str | None
    path: str | None
    data: str | None
    data_was_chosen: bool
    name: str
    project: str | None = None
    finds_project: bool = False
    engine: str = ""


_caller: _Caller | None = None
_read_elsewhere = False
_typed: tuple[str, ...] = ()


class _Inner(local):
    """Whom hints of this thread are for, while it triggers a job or writes a notice."""

    caller: _Caller | None = None
    is_mail = False


_inner = _Inner()

_OF_NO_PROJECT = ("help", "init", "--version")
"""What is for any folder."""

_HELP = ("-h", "--help")

_DATA_VARIABLE = "DURABLY_DATA_DIR"
_NAME_VARIABLE = "DURABLY_NAME"
_PROJECT_VARIABLE = "DURABLY_PROJECT"
_ENGINE_VARIABLE = "DURABLY_ENGINE"


def called(project: str | os.PathLike[str], *, finds_project: bool) -> None:
    """Remember where a command line came from, before its job goes elsewhere or changes PATH.

    `finds_project` says whether a command that is typed there finds the project without -C.
    """
    global _caller
    _caller = _here()._replace(project=os.fspath(project), finds_project=finds_project)


def typed(command: str, words: Iterable[str]) -> None:
    """Remember the command of the command line, and the words behind it."""
    global _typed
    _typed = (command, *words)


def words_typed() -> tuple[str, ...]:
    """The command of the command line, and the words behind it; empty if none was read."""
    return _typed


def keep_runs_in(data: str | os.PathLike[str]) -> None:
    """Remember the data folder of the command line, before its job changes a variable."""
    global _caller
    if _caller is not None and _caller.data is None:
        _caller = _caller._replace(data=os.fspath(data))


@contextmanager
def in_project(
    project: str | os.PathLike[str], data: str | os.PathLike[str], *, finds_project: bool
) -> Iterator[None]:
    """Inside, hints of this thread are for this project: Python code triggers a job of it.

    `finds_project` is for code that no command line runs.
    """
    outer = _caller
    here = _here() if outer is None else outer
    named = os.fspath(project)
    if outer is not None:
        finds_project = outer.finds_project and outer.project == named
    chosen = bool(os.environ.get(_DATA_VARIABLE))
    name = os.environ.get(_NAME_VARIABLE, "")
    inner = _Caller(
        *(here.folder, here.path, os.fspath(data), chosen, name, named, finds_project),
        engine=here.engine,
    )
    with _for(inner):
        yield


@contextmanager
def of_command_line() -> Iterator[None]:
    """Inside, hints are for the command line, whatever job Python code triggers meanwhile."""
    with _for(None):
        yield


@contextmanager
def of_engine(name: str) -> Iterator[None]:
    """Inside, hints are for the runs of the engine of this name."""
    with _for(_current()._replace(engine=name)):
        yield


def are_of_engine(name: str) -> None:
    """From now on they are, for the command line: what it shows is there."""
    global _caller
    _caller = (_caller or _here())._replace(engine=name)


@contextmanager
def _for(caller: _Caller | None) -> Iterator[None]:
    before, _inner.caller = _inner.caller, caller
    try:
        yield
    finally:
        _inner.caller = before


def are_read_elsewhere() -> None:
    """From now on every command can be pasted anywhere: what is said goes into a mail."""
    global _read_elsewhere
    _read_elsewhere = True


@contextmanager
def in_a_mail() -> Iterator[None]:
    """Inside, every command of this thread can be pasted anywhere."""
    before, _inner.is_mail = _inner.is_mail, True
    try:
        yield
    finally:
        _inner.is_mail = before


def project() -> str | None:
    """The project that hints are for; None if none was found yet."""
    return _current().project


def is_read_elsewhere() -> bool:
    """Does what is said go into a mail?"""
    return _read_elsewhere or _inner.is_mail


def command(*words: str | os.PathLike[str]) -> str:
    """`durably WORDS` as it can be pasted into the shell that called."""
    caller = _current()
    if is_read_elsewhere():
        return command_anywhere(caller.project, *words)
    project = None if caller.finds_project else caller.project
    return _joined(caller, caller.folder, caller.path, project, words)


def command_in(folder: str | os.PathLike[str], *words: str | os.PathLike[str]) -> str:
    """The same for the project in that folder: first goes there, and stays there."""
    caller = _current()
    if os.fspath(folder).startswith("-"):  # which cd would take for an option
        folder = os.path.join(".", folder)
    project = "." if os.environ.get(_PROJECT_VARIABLE) else None  # which leads elsewhere
    return f"cd {quoted(folder)} && {_joined(caller, None, caller.path, project, words)}"


def command_anywhere(project: str | os.PathLike[str] | None, *words: str | os.PathLike[str]) -> str:
    """`durably WORDS` for that project as it can be pasted into any shell of this user's."""
    return _joined(_current(), None, None, project, words)


def words_anywhere(*words: str) -> tuple[dict[str, str], list[str]]:
    """The same for the project that hints are for, as no shell reads it: variables and words."""
    caller = _current()
    return _words(caller, None, None, caller.project, words)


_REMARK = "    ("
"""What stands in a hint between a command and what is said of it."""


def shown(hint: str) -> str:
    """A hint as it is shown: what is said of a command stands below it, which can be pasted."""
    return hint.replace(_REMARK, "\n     (")


def commands_in(hint: str) -> list[str]:
    """The commands that stand on lines of their own in a hint, without what is said of them."""
    return [text for line in hint.split("\n") if _is_command(text := line.partition(_REMARK)[0])]


def _is_command(text: str) -> bool:
    import shlex  # only for hints

    try:
        words = shlex.split(text)
    except ValueError:
        return False
    while words and words[0].startswith("DURABLY_") and "=" in words[0]:
        del words[0]
    return bool(words) and (
        os.path.basename(words[0]) == "durably" or words[1:3] == ["-m", "durably_cli"]
    )


def _joined(
    caller: _Caller,
    folder: str | None,
    path: str | None,
    project: str | os.PathLike[str] | None,
    words: tuple[str | os.PathLike[str], ...],
) -> str:
    """The words as they are typed in that folder, with that PATH; None is any folder or PATH."""
    where, called = _words(caller, folder, path, project, words)
    variables = (f"{name}={quoted(value)}" for name, value in where.items())
    return " ".join((*variables, *map(quoted, called)))


def _words(
    caller: _Caller,
    folder: str | None,
    path: str | None,
    project: str | os.PathLike[str] | None,
    words: tuple[str | os.PathLike[str], ...],
) -> tuple[dict[str, str], list[str]]:
    """The same, not joined: the variables, and the words."""
    named = () if project is None or words[0] in _OF_NO_PROJECT else ("-C", project)
    needs_store = words[0] not in _OF_NO_PROJECT and words[-1] not in _HELP
    where = dict[str, str]()
    if needs_store and (data := _data_to_name(caller)):
        where[_DATA_VARIABLE] = data
    if caller.name and needs_store:
        where[_NAME_VARIABLE] = caller.name
    if caller.engine and needs_store:
        where[_ENGINE_VARIABLE] = caller.engine
    script = program.script_of(project or caller.project)
    if script is not None:
        named, words = (), script.without_job(words)
    called = program.of_this(folder, path) if script is None else script.called(folder, path)
    return where, list(map(os.fspath, (*called, *named, *words)))


def _data_to_name(caller: _Caller) -> str | None:
    """The data folder, if a variable chose it: nobody knows whether only one call had that."""
    if caller.data_was_chosen or caller.data != _own_data_folder():
        return caller.data
    return None


@cache
def _own_data_folder() -> str | None:
    """The data folder of this user where no variable says otherwise; None if it is not known."""
    import pwd  # rarely needed

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # of a user that has no name
        return None
    here = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "share")
    return os.path.join(home, *here, "durably")


def _current() -> _Caller:
    return _inner.caller or _caller or _here()


def _here() -> _Caller:
    try:
        folder = os.getcwd()
    except OSError:
        folder = None
    chosen = os.environ.get(_DATA_VARIABLE)
    data = os.path.expanduser(chosen) if chosen else None
    path, name = os.environ.get("PATH"), os.environ.get(_NAME_VARIABLE, "")
    engine = os.environ.get(_ENGINE_VARIABLE, "")
    return _Caller(folder, path, data, data_was_chosen=bool(chosen), name=name, engine=engine)
