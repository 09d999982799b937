"""Seeded bugs: copies of the project in which one safeguard is switched off.

Each must make the parts of the campaign fail that are named with it: that is how those parts are
known to be able to fail.

Module `seeded_bugs` has the list of them; `python -m tests.crash` prints it, and tries one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """A safeguard, the text that it is in a file of durably_cli, and what stands there instead.

    `caught_by` are the test files of tests/crash that must fail without it; the first of them, or
    the test of it that is named behind `::`, is quick.
    """

    name: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]

    def copy(self, folder: Path) -> Path:
        """Make the copy in this folder, and return it."""
        ignore = shutil.ignore_patterns("__pycache__")
        for part in ("durably_cli", "tests", "jobs"):
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
        shutil.copy2(ROOT / "pyproject.toml", folder)
        (folder / "durably_cli" / self.file).write_text(self.changed_text(), encoding="utf-8")
        return folder

    @property
    def path(self) -> Path:
        """The file whose text it changes."""
        return ROOT / "durably_cli" / self.file

    def changed_text(self) -> str:
        """The text of the file with the bug in it. ValueError if the safeguard is not there."""
        text = self.path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text stands {text.count(self.old)} times")
        return text.replace(self.old, self.new)


def run_tests(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a copy, to the first failure; a file has what is printed, for processes that
    a bug leaves behind would keep a pipe open.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with open(folder / "printed", "w+", encoding="utf-8") as printed:
        done = subprocess.run(
            (sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *args),
            cwd=folder,
            env=env | {"PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        printed.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, printed.read())


def parts_of(mutant: Mutant) -> list[str]:
    """The tests that must catch it, as pytest takes them."""
    return [f"tests/crash/test_{part}" for part in mutant.caught_by]
