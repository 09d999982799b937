"""A bug seeded into durably: a text of its source is another one, wherever that is imported.

The environment names the bug, and Python seeds it at its start, by `site/sitecustomize.py`, whose
folder is first on PYTHONPATH: in pytest itself, and in each command that a test starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
VARIABLE = "SEEDED_BUG"
"""The environment variable that names the bug."""

# To rewrite their asserts, pytest reads the modules of a plug-in itself, past the bug.
_PYTEST = (*(sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--assert=plain"),)


class SeededBug(NamedTuple):
    """A text of a file of durably_cli, what stands there instead, and the tests that must fail.

    `caught_by` are files of tests, or single ones, as pytest takes them; the first is quick. Of
    the campaign are only those that are named with their parameters.
    """

    name: str
    file: str
    right: str
    wrong: str
    caught_by: tuple[str, ...]

    def source(self) -> str:
        """The file's text with the bug. LookupError if what is right stands there not just once."""
        text = (ROOT / "durably_cli" / self.file).read_text(encoding="utf-8")
        if text.count(self.right) != 1:
            raise LookupError(
                f"{self.right!r} stands {text.count(self.right)} times in {self.file}"
            )
        return text.replace(self.right, self.wrong)

    def install(self) -> None:
        """Seed it in this process, which has not imported durably yet."""
        sys.meta_path.insert(0, _Finder(self))


class _Finder:
    def __init__(self, bug: SeededBug) -> None:
        self._bug = bug
        self._module = f"durably_cli.{bug.file.removesuffix('.py').replace('/', '.')}"

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
            spec.loader.bug = self._bug
        return spec


class _Loader(SourceFileLoader):
    bug: SeededBug

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self.bug.source(), self.path, "exec", dont_inherit=True)
        return code


def python_path(*folders: Path) -> str:
    """PYTHONPATH for a process that imports from these folders, with the seeded bug if one is."""
    return os.pathsep.join(map(str, (*((SITE,) if VARIABLE in os.environ else ()), *folders)))


def run_tests(bug: SeededBug, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the bug, to the first failure.

    A file in the folder has what is printed, for processes that a bug leaves behind would keep a
    pipe open; and another one what hypothesis remembers of it.
    """
    import subprocess  # every process that has a bug imports this module

    marks = "" if all(each.endswith("]") for each in args) else "not campaign"  # the long ones too
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {VARIABLE: bug.name, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    with open(folder / "printed", "w+", encoding="utf-8") as printed:
        done = subprocess.run(
            (*_PYTEST, "-m", marks, *args),
            cwd=ROOT,
            env=env | {"PYTHONPATH": os.pathsep.join(map(str, (SITE, ROOT)))},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        printed.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, printed.read())
