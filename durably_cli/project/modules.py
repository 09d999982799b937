"""Job modules, imported under the names that everybody else imports them by: jobs/sync_users.py is
`jobs.sync_users`.

So a pickle, a process pool, `from .helpers import x` and a test see the same module. A file that no
import can name, such as jobs/v1.2.py, is given a name that only this process knows.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from durably_cli import hints
from durably_cli.errors import ConfigError, JobModuleError
from durably_cli.journal.failures import describe
from durably_cli.project import importing, missing_modules, places
from durably_cli.project.importing import PACKAGE
from durably_cli.steps.stop import raise_stop
from durably_cli.system import garbage
from durably_cli.values.untrusted import traceback_of


def load_module(project: Path, path: Path) -> ModuleType:
    """The module of this file in jobs/, imported once, behind its package.

    JobModuleError with the user's own error; ConfigError if it is the package that does not import,
    or if another one has its name.
    """
    _spare_what_is_loaded(path)
    _load_package(project / PACKAGE)
    stem = places.stem_of(path)
    name = f"{PACKAGE}.{stem}"
    if not _leads_to(path, name):
        name = f"{PACKAGE}.durably_job_{stem.replace('.', '_')}"
        importing.prepare(project).unnamed[name] = str(path)
    return _imported(name, path)


def _load_package(folder: Path) -> None:
    if PACKAGE in sys.modules:
        _refuse_unless(folder, _whereabouts(sys.modules[PACKAGE]))
        return
    spec = PathFinder.find_spec(PACKAGE)
    if spec is not None:
        _refuse_unless(folder, spec.submodule_search_locations or [str(spec.origin)])
    try:
        _imported(PACKAGE, folder / "__init__.py")
    except JobModuleError as error:  # which is that of every module
        raise ConfigError(error.what, hint=error.hint) from error


def _whereabouts(module: ModuleType) -> list[str]:
    return list(getattr(module, "__path__", None) or [str(getattr(module, "__file__", None))])


def _refuse_unless(folder: Path, found: Iterable[str]) -> None:
    """ConfigError unless the package of that name is the one in this folder."""
    where = list(found)
    for each in where:
        with suppress(OSError):
            if os.path.samefile(each, folder):
                return
    init = folder / "__init__.py"
    what = f"import {PACKAGE} finds {where[0]}, not {folder}"
    if init.exists():
        raise ConfigError(
            f"{what}: it was imported before, and one process has one package {PACKAGE}"
        )
    raise ConfigError(
        f"{what}: a folder without an __init__.py comes last", hint=f"touch {hints.quoted(init)}"
    )


def _leads_to(path: Path, name: str) -> bool:
    """Does an import of this name find this file, and not another one that hides it?"""
    if name.count(".") > 1:
        return False
    if name in sys.modules and name not in importing.executed:
        found = getattr(sys.modules[name], "__file__", None)
    else:
        spec = PathFinder.find_spec(name, getattr(sys.modules[PACKAGE], "__path__", None))
        found = spec and spec.origin
    with suppress(OSError):
        return type(found) is str and (found == str(path) or os.path.samefile(found, path))
    return False


def _imported(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        try:
            __import__(name)
        except BaseException as error:
            raise_stop(error)
            raise _broken(path, error) from error
    return importing.executed.get(name) or sys.modules[name]


def _spare_what_is_loaded(path: Path) -> None:
    """Freeze it, before the first job; and first import pydantic, if the module at `path` will.

    It saves a trigger with a typed input 5 % of its CPU, 191 ms without it and 181 so, and `jobs`
    as much (30 of each, in turn; two equal ones differ by 0.6 %).
    """
    with suppress(Exception):  # the module's own import reports what is wrong
        if b"pydantic" in path.read_bytes():
            import pydantic

            _ = pydantic.BaseModel, pydantic.TypeAdapter  # these load the most of it
    garbage.freeze_loaded()


def _broken(path: Path, error: BaseException) -> JobModuleError:
    what = describe(error)
    line = _line_in(path, error)
    where = f"{path}:{line}" if line else str(path)
    hint = missing_modules.hint(error, path) if issubclass(type(error), ImportError) else None
    reason = f"{what.type}: {what.message}".partition("\n")[0]
    report = f"{where} does not import\n{what.traceback}"
    return JobModuleError(str(path), report, reason, hint=hint)


def _line_in(path: Path, error: BaseException) -> int | None:
    """The line of the module at which it stopped; nothing is asked of the exception's own class."""
    if issubclass(type(error), SyntaxError):
        file, line = (SyntaxError.__dict__[name].__get__(error) for name in ("filename", "lineno"))
        if type(file) is str and type(line) is int and file == str(path):
            return line
    frames = traceback.extract_tb(traceback_of(error))
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None
