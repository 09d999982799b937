"""What the project's sources make of a function now, held against what a step has called.

The file is compiled, and nothing of it is executed or imported. Hashes compare only where the same
Python made them.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from enum import StrEnum
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from durably_cli.errors import Forbidden
from durably_cli.steps.bytecode import COMPILER, fingerprint
from durably_cli.system import files

_LARGEST = 10_000_000
"""A file of more bytes than that is no source that a person has written."""


class Verdict(StrEnum):
    """What became of a function."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    UNKNOWN = "unknown"


class Comparison(NamedTuple):
    """What became of a function, and why nobody knows if so."""

    verdict: Verdict
    reason: str = ""


class CodeNow:
    """The functions of a project's files, each of which is read once, when it is asked for."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.path.realpath(folder)
        self._files = dict[str, dict[str, list[CodeType]] | Comparison]()
        self._said = dict[str, Comparison]()

    def compare(self, code: str) -> Comparison:
        """What became of the function that `code_of` gave this text for.

        Of several of one name, as lambdas are, one that is the same is enough. Nothing is raised
        for a text that is another one, or a file that cannot be read.
        """
        if code not in self._said:
            self._said[code] = self._compared(code)
        return self._said[code]

    def _compared(self, code: str) -> Comparison:
        where, _, hashed = code.rpartition(":")
        file, _, name = where.rpartition(":")
        digest, _, compiler = hashed.partition(".")
        if not file or not name:
            return _unknown("the journal names no function of the project")
        if compiler != COMPILER:
            return _unknown("another Python compiled it then")
        if file not in self._files:
            self._files[file] = self._read(file)
        found = self._files[file]
        if isinstance(found, Comparison):
            return found
        if name not in found:
            return Comparison(Verdict.GONE)
        try:
            is_same = digest in map(fingerprint, found[name])
        except (RecursionError, ValueError):
            return _unknown("it is nested too deeply")
        return Comparison(Verdict.SAME if is_same else Verdict.CHANGED)

    def _read(self, file: str) -> dict[str, list[CodeType]] | Comparison:
        """The functions in a file by their names, else what that says of all of them."""
        try:
            path = os.path.realpath(os.path.join(self._folder, file))
            if not path.startswith(os.path.join(self._folder, "")):
                return _unknown("its file is not in the project, or a link that leads out of it")
            return _functions(_source(path), path)
        except (FileNotFoundError, NotADirectoryError):
            return Comparison(Verdict.GONE)
        except Forbidden:
            return _unknown("its file is no regular one")
        except OSError as error:
            return _unknown(f"its file cannot be read: {error.strerror}")
        except SyntaxError as error:
            return _unknown(f"its file does not compile: {error.msg}, line {error.lineno}")
        except (ValueError, OverflowError, RecursionError, MemoryError) as error:
            return _unknown(f"its file does not compile: {type(error).__name__}")


def _unknown(reason: str) -> Comparison:
    return Comparison(Verdict.UNKNOWN, reason)


def _source(path: str) -> bytes:
    with open(files.open_existing(Path(path)), "rb") as stream:
        source = stream.read(_LARGEST + 1)
    if len(source) > _LARGEST:
        raise OverflowError
    return source


def _functions(source: bytes, path: str) -> dict[str, list[CodeType]]:
    """All that an import would compile, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for who imports it
        pending = [compile(source, path, "exec", dont_inherit=True)]
    found = defaultdict[str, list[CodeType]](list)
    for code in pending:
        inner = [each for each in code.co_consts if isinstance(each, CodeType)]
        for each in inner:
            found[each.co_qualname].append(each)
        pending += inner
    return dict(found)
