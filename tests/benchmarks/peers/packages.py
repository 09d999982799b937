"""The packages of the peers: each is installed into a folder of its own, and run from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

DEFAULT_FOLDER = Path(__file__).parents[1] / ".peers"
_PROGRAMS = Path(__file__).parent
_INSTALLED = "installed.json"


class PythonPackage(NamedTuple):
    """A package of PyPI, in a virtual environment of its own."""

    name: str
    requirements: tuple[str, ...]
    oldest_python: tuple[int, int]
    program: str

    def launcher(self, folder: Path) -> list[str]:
        """The command that runs its program, less the arguments."""
        return [str(_home(self, folder) / "bin" / "python"), str(_PROGRAMS / self.program)]

    def install(self, folder: Path) -> str:
        """Install it, unless it is; an answer is the reason why it could not be."""
        python = _python(self.oldest_python)
        if not python:
            return f"needs Python {'.'.join(map(str, self.oldest_python))} or a newer one"
        home = _home(self, folder)
        if _is_installed(home, list(self.requirements)):
            return ""
        shutil.rmtree(home, ignore_errors=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
        return (
            _failure([python, "-m", "venv", str(home)])
            or _failure([*pip, "install", *self.requirements])
            or _note_installed(home, list(self.requirements))
        )


class NodePackage(NamedTuple):
    """A package of npm, in a project of its own."""

    name: str
    project: dict[str, dict[str, str | bool]]
    program: str

    def launcher(self, folder: Path) -> list[str]:
        """The command that runs its program, less the arguments."""
        return ["node", "--preserve-symlinks-main", str(_home(self, folder) / self.program)]

    def install(self, folder: Path) -> str:
        """Install it, unless it is; an answer is the reason why it could not be."""
        if not shutil.which("node") or not shutil.which("npm"):
            return "needs node and npm"
        home = _home(self, folder)
        if not _is_installed(home, self.project):
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            (home / "package.json").write_text(json.dumps({"private": True} | self.project))
            npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            failure = _failure(npm, home) or _note_installed(home, self.project)
            if failure:
                return failure
        self._link_program(home)
        return ""

    def _link_program(self, home: Path) -> None:
        """Node looks for packages beside a program, so that it has to be among them."""
        link = home / self.program
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(_PROGRAMS / self.program, home))


DBOS = PythonPackage("dbos", ("dbos==3.4.0",), (3, 10), "on_dbos.py")

# its version 0.2.3 cannot be imported without redis, though it does not ask for it
PYTHON_DURABLE = PythonPackage(
    "python-durable", ("python-durable[redis]==0.2.3",), (3, 12), "on_python_durable.py"
)

# the override is what its guide tells to do: the dialect asks for a client that is too old
COJI = NodePackage(
    "coji/durably",
    {
        "dependencies": {
            "@coji/durably": "0.15.0",
            "@libsql/client": "0.17.0",
            "@libsql/kysely-libsql": "0.4.1",
            "better-sqlite3": "12.6.2",
            "kysely": "0.27.6",
            "zod": "4.3.6",
        },
        "overrides": {"@libsql/client": "$@libsql/client"},
        "allowScripts": {"better-sqlite3": True},
    },
    "on_coji.mjs",
)

_PACKAGES: tuple[PythonPackage | NodePackage, ...] = (DBOS, COJI, PYTHON_DURABLE)


def install(folder: Path = DEFAULT_FOLDER) -> dict[str, str]:
    """Install what is not yet installed, and say what could not be, and why."""
    reasons = {package.name: package.install(folder) for package in _PACKAGES}
    return {name: reason for name, reason in reasons.items() if reason}


def _home(package: PythonPackage | NodePackage, folder: Path) -> Path:
    return folder / package.name.replace("/", "-")


def _python(oldest: tuple[int, int]) -> str | None:
    if sys.version_info >= oldest:
        return sys.executable
    names = [f"python{oldest[0]}.{minor}" for minor in range(oldest[1], oldest[1] + 10)]
    found = [python for name in names for python in (shutil.which(name), _python_of_pyenv(name))]
    return next((python for python in found if python and not _failure([python, "-V"])), None)


def _python_of_pyenv(name: str) -> str | None:
    """Its commands on the path refuse to run the versions that are not the chosen one."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next((str(path) for path in sorted(root.glob(f"versions/*/bin/{name}"))), None)


def _is_installed(home: Path, wanted: object) -> bool:
    note = home / _INSTALLED
    return note.exists() and json.loads(note.read_text()) == wanted


def _note_installed(home: Path, wanted: object) -> str:
    (home / _INSTALLED).write_text(json.dumps(wanted))
    return ""


def _failure(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if not done.returncode:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    errors = [line.strip()[:100] for line in said if "error" in line.lower()]
    return "; ".join(errors[:3] or said[-1:]) or f"exit code {done.returncode}"
