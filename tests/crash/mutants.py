"""Seeded bugs: copies of the project in which one safeguard is switched off.

Each must make the parts of the campaign fail that are named with it: that is how those parts are
known to be able to fail.

    python -m tests.crash.mutants                    lists them
    python -m tests.crash.mutants NAME               runs the parts that are to catch it
    python -m tests.crash.mutants NAME pytest args   runs pytest so, on the copy
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
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
        path = folder / "durably_cli" / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text stands {text.count(self.old)} times in {path}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return folder


def run_tests(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a copy, to the first failure."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        (sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *args),
        cwd=folder,
        env=env | {"PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
    )


def parts_of(mutant: Mutant) -> list[str]:
    """The tests that must catch it, as pytest takes them."""
    return [f"tests/crash/test_{part}" for part in mutant.caught_by]


MUTANTS = (
    Mutant(
        "no fdatasync",
        "files.py",
        "        os.fdatasync(fd)",
        "        pass",
        (),
    ),
)


def main(name: str = "", *args: str) -> int:
    """The command line."""
    if not name:
        for mutant in MUTANTS:
            print(f"{mutant.name:40} {', '.join(mutant.caught_by)}")
        return 0
    (mutant,) = (each for each in MUTANTS if each.name == name)
    with tempfile.TemporaryDirectory() as folder:
        done = run_tests(mutant.copy(Path(folder) / "copy"), *(args or parts_of(mutant)))
    print(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
