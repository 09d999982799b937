"""Seeded bugs: one safeguard switched off in every process that imports durably.

A bug names an attribute of a module or class, and what stands in its place instead. The environment
names the bug: whichever process then imports the module, pytest itself or a command that a test has
started, gets the attribute replaced as soon as that module is there, and nothing else is changed.
Python installs it at its start, by `site/sitecustomize.py`, whose folder is first on PYTHONPATH.

Module `seeded_bugs` has the list of the bugs; `python -m tests.crash` prints it, and tries one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
VARIABLE = "SEEDED_BUG"
"""The environment variable that names the bug."""


_PYTEST = (
    *(sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider"),
    *("-m", "not campaign"),  # the long ones too
)


class SeededBug(NamedTuple):
    """A safeguard, the attribute that it is in, and what makes a faulty one of that.

    `place` reads `module:attribute` or `module:Class.attribute`, and `caught_by` are the test files
    of tests/crash that must fail with it; the first of them, or the test of it that is named behind
    `::`, is quick.
    """

    name: str
    place: str
    caught_by: tuple[str, ...]
    faulty: Callable[[Any], Any]

    def target(self) -> tuple[Any, str, Any]:
        """The object that has the attribute, its name, and what it is now."""
        module, _, path = self.place.partition(":")
        owner: Any = import_module(module)
        *outer, name = path.split(".")
        for each in outer:
            owner = getattr(owner, each)
        return owner, name, getattr(owner, name)

    def install(self) -> None:
        """Replace the attribute once its module is imported. AttributeError if there is none."""
        module = self.place.partition(":")[0]
        if module in sys.modules:
            self._seed()
        else:
            sys.meta_path.insert(0, _Awaited(module, self._seed))

    def _seed(self) -> None:
        owner, name, found = self.target()
        setattr(owner, name, self.faulty(found))


class _Awaited:
    """Finds one module as Python does, and does something once that has been executed."""

    def __init__(self, module: str, then: Callable[[], None]) -> None:
        self._module, self._then = module, then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._then()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def during(call: Callable[..., Any], path: str, other: Callable[..., Any]) -> Callable[..., Any]:
    """The function, while one of its globals, or `module.name` in them, is another one."""
    *modules, name = path.split(".")

    @wraps(call)
    def called(*args: Any, **options: Any) -> Any:
        names = call.__globals__
        for module in modules:
            names = vars(names[module])
        with _replaced(names, name, other):
            return call(*args, **options)

    return called


@contextmanager
def _replaced(names: dict[str, Any], name: str, other: Any) -> Iterator[None]:
    found = names[name]
    names[name] = other
    try:
        yield
    finally:
        names[name] = found


def nothing(*_: object, **options: object) -> None:
    """Does nothing."""


def python_path(*folders: Path) -> str:
    """PYTHONPATH for a process that imports from these folders, with the seeded bug if one is."""
    return os.pathsep.join(map(str, (*((SITE,) if VARIABLE in os.environ else ()), *folders)))


def run_tests(bug: SeededBug, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the bug, to the first failure.

    A file in the folder has what is printed, for processes that a bug leaves behind would keep a
    pipe open; and another one what hypothesis remembers of it.
    """
    import subprocess  # every process that has a bug imports this module

    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {VARIABLE: bug.name, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    with open(folder / "printed", "w+", encoding="utf-8") as printed:
        done = subprocess.run(
            (*_PYTEST, *args),
            cwd=ROOT,
            env=env | {"PYTHONPATH": os.pathsep.join(map(str, (SITE, ROOT)))},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        printed.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, printed.read())


def parts_of(bug: SeededBug) -> list[str]:
    """The tests that must catch it, as pytest takes them."""
    return [f"tests/crash/test_{part}" for part in bug.caught_by]
