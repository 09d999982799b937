"""What a program is run with, checked: a clear error says what cannot be."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from durably_cli.system.programs import Launch
from durably_cli.values.durations import Duration, seconds_in
from durably_cli.values.untrusted import repr_of

Words: TypeAlias = str | Sequence[str | os.PathLike[str]]
"""A text for the shell, or the program and its arguments."""

_SHELL = "/bin/sh"
_SHOWN = 200


class CheckedCommand(NamedTuple):
    """A program to run: its words, or a text for the shell, and all that it is given."""

    words: str | list[str]
    folder: str | None = None
    variables: dict[str, str] | None = None
    input: bytes | None = None
    check: bool = True
    timeout: float | None = None

    def launch(self) -> Launch:
        """What to launch, as it is here and now.

        FileNotFoundError, NotADirectoryError or PermissionError if it is not to be had.
        """
        environment = _variables_here()
        for variable, value in (self.variables or {}).items():
            environment[os.fsencode(variable)] = os.fsencode(value)
        here = os.getcwd()
        folder = here if self.folder is None else os.path.join(here, self.folder)
        if not os.path.isdir(folder):
            number = errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT
            raise OSError(number, "cwd is no folder", folder)
        if isinstance(self.words, str):
            return Launch(_SHELL, ["sh", "-c", self.words], environment, folder)
        path = _found(self.words[0], environment.get(b"PATH", b""), folder)
        return Launch(path, self.words, environment, folder)

    def __str__(self) -> str:
        """The command as it is shown."""
        text = self.words if isinstance(self.words, str) else shlex.join(self.words)
        return text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."


def command_of(
    command: Words,
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | None = None,
    check: bool = True,
    timeout: Duration | None = None,
) -> CheckedCommand:
    """The command that was given. TypeError and ValueError for what makes no sense."""
    words: str | list[str]
    if isinstance(command, str):
        words = _plain("the command", command)
        if not words.strip():
            raise ValueError("the command is empty")
    elif isinstance(command, (list, tuple)):
        words = [_word(number, each) for number, each in enumerate(command)]
        if not words or not words[0]:
            raise ValueError("the command is empty: its first word is the program")
    else:
        raise TypeError(
            "a command is a text for the shell, or a list of the program and its arguments, "
            f"not {repr_of(command):.80}"
        )
    folder = None if cwd is None else _plain("cwd", _path("cwd", cwd))
    variables = None if env is None else _variables(env)
    seconds = None if timeout is None else seconds_in(timeout)
    if seconds == 0:
        raise ValueError("timeout=0: no program ends in no time")
    return CheckedCommand(words, folder, variables, _bytes(input), bool(check), seconds)


def _word(number: int, given: object) -> str:
    what = f"word {number + 1} of the command"
    if isinstance(given, str):
        return _plain(what, given)
    return _plain(what, _path(what, given))


def _path(what: str, given: object) -> str:
    if isinstance(given, (str, os.PathLike)):
        path: str | bytes = os.fspath(given)
        if isinstance(path, str) and path:
            return path
    raise TypeError(f"{what} is a text or a path, not {repr_of(given):.80}{_about(given)}")


def _about(given: object) -> str:
    """How to make a text of it."""
    if hasattr(given, "get_secret_value"):
        return ", which is a secret: give its get_secret_value() in env or input"
    if isinstance(given, bytes):
        return ": decode it, or os.fsdecode it"
    return f": write str({repr_of(given):.20})" if isinstance(given, (int, float)) else ""


def _plain(what: str, text: str) -> str:
    """The text, of no class of its own. ValueError for what no program can be given."""
    if "\0" in text:
        raise ValueError(f"{what} has a NUL in it: {text!r:.80}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError(f"{what} has a lone surrogate in it, which has no bytes") from None
    return str.__str__(text)


def _variables(env: object) -> dict[str, str]:
    if not isinstance(env, Mapping):
        raise TypeError(f"env is a dict of texts, not {repr_of(env):.80}")
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            odd = value if isinstance(name, str) else name
            where = f"env[{name!r:.80}]" if isinstance(name, str) else "a name in env"
            secret = ": give its get_secret_value()" if hasattr(odd, "get_secret_value") else ""
            raise TypeError(f"{where} is a text, not {repr_of(odd):.80}{secret}")
        if not name or "=" in name:
            raise ValueError(f"{name!r:.80} in env is no name of a variable")
    return {
        _plain("a name in env", name): _plain(f"env[{name!r}]", value)
        for name, value in env.items()
    }


def _bytes(input: object) -> bytes | None:
    if input is None or isinstance(input, bytes):
        return input
    if isinstance(input, str):
        return input.encode("utf-8", "surrogateescape")
    secret = ": give its get_secret_value()" if hasattr(input, "get_secret_value") else ""
    raise TypeError(f"input is a text or bytes, not {repr_of(input):.80}{secret}")


def _variables_here() -> dict[bytes, bytes]:
    """The variables of this process, as bytes."""
    own: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)
    if own is not None:  # saves 70 us, where all of a program takes 900
        return dict(own)
    return {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}


def _found(name: str, given_path: bytes, folder: str) -> str:
    """The file of a program. FileNotFoundError, PermissionError if there is none to execute."""
    if os.sep in name:
        found = os.path.join(folder, name)
        if os.path.isdir(found) or (os.path.exists(found) and not os.access(found, os.X_OK)):
            raise PermissionError(errno.EACCES, "this is no program that may be executed", found)
        if not os.path.exists(found):
            raise FileNotFoundError(errno.ENOENT, "there is no such program", found)
        return found
    path = os.fsdecode(given_path) or os.defpath
    for each in path.split(os.pathsep):
        found = f"{each}/{name}" if each.startswith("/") else os.path.join(folder, each, name)
        if os.access(found, os.X_OK) and os.path.isfile(found):
            return found
    error = FileNotFoundError(errno.ENOENT, "there is no such program on PATH", name)
    error.add_note(f"PATH is {path}")
    raise error
