"""Projects of their own, and the real command run in them as a process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import settings

import durably_cli
from durably_cli import hints
from tests.harness.counting import pytest_terminal_summary as pytest_terminal_summary
from tests.harness.processes import Result as Result
from tests.harness.processes import Started as Started
from tests.harness.processes import forked
from tests.harness.seeding import python_path

settings.register_profile("durably", deadline=None)  # no test asserts how long a thing takes
settings.load_profile("durably")

for _signum, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_signum) is signal.SIG_IGN:  # by nohup, or by a shell in the background
        signal.signal(_signum, _handler)

CAMPAIGN_SECONDS = 3 * 3600
"""How long a test may take of which many rounds are asked for; the others have pytest's limit."""

DURABLY = (sys.executable, "-m", "durably_cli")
BIN = Path(sys.executable).parent
CODE = Path(durably_cli.__file__).parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores, with `-n auto`: a third of the time they would else wait."""
    return (os.cpu_count() or 1) * 3 // 2 or 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("campaign"):
            item.add_marker(pytest.mark.timeout(CAMPAIGN_SECONDS))


def environment() -> dict[str, str]:
    """That of the tests, without what is set for durably or Python there."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DURABLY_", "PYTHON"))
    } | {
        "COLUMNS": "100",
        "PYTHONPATH": python_path(CODE),  # what is tested is what is imported here
        "PATH": f"{BIN}:{os.environ['PATH']}",  # where `durably` is this one
    }


class Project:
    """A project folder with a data folder of its own, and a file that steps append to."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.data = root / "data"
        self.cache = root / "cache"
        self.effects_path = root / "effects"
        (self.root / "jobs").mkdir(parents=True)
        self.env = environment() | {
            "DURABLY_DATA_DIR": str(self.data),
            "DURABLY_CACHE_DIR": str(self.cache),
            "EFFECTS": str(self.effects_path),
            "HOME": str(root),
        }
        self.starts_interpreters = False

    def job(self, text: str, name: str = "work") -> Path:
        """Write jobs/<name>.py: the text behind the usual imports and `effect(line)`."""
        path = self.root / "jobs" / f"{name}.py"
        path.write_text(_PRELUDE + dedent(text), encoding="utf-8")
        return path

    def start(self, *args: str, **popen: Any) -> Started:
        """Start `durably *args` in the project: a fork, if it is what an interpreter would be."""
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "cwd": self.root,
            "env": self.env,
            "text": True,
            "encoding": "utf-8",
        }
        options |= popen
        fork = None if self.starts_interpreters else forked(args, **options)
        options.pop("signal_at", None)  # none is to be sent: else it is a fork
        return fork or Started((*DURABLY, *args), **options)

    def run(self, *args: str, expect: int | None = 0, **popen: Any) -> Result:
        """Run `durably *args` to its end, which must have the expected exit code."""
        given = popen.pop("input", None)
        if given is not None:
            popen["stdin"] = subprocess.PIPE
        with self.start(*args, **popen) as process:
            result = process.result(given)
        assert expect is None or result.code == expect, result
        return result

    def runs(self, *filters: str) -> list[dict[str, Any]]:
        """What `durably list --json` says, newest first."""
        found = json.loads(self.run("list", "-n", "0", "--json", *filters).out)["runs"]
        assert isinstance(found, list)
        return found

    def inspect(self, run: str = "@last") -> dict[str, Any]:
        """What `durably inspect --json` says."""
        found = json.loads(self.run("inspect", run, "--json").out)["run"]
        assert isinstance(found, dict)
        return found

    def journal(self, run: str = "@last") -> Path:
        """The path of a run's journal."""
        return Path(self.inspect(run)["journal"])

    @property
    def effects(self) -> list[str]:
        """The lines that steps have appended so far."""
        try:
            return self.effects_path.read_text().splitlines()
        except FileNotFoundError:
            return []

    def wait_for_effects(self, number: int = 1, *, line: str | None = None) -> None:
        """Return once steps have appended so many lines, and that one if given."""
        deadline = time.monotonic() + 60
        while len(effects := self.effects) < number or line not in (None, *effects):
            assert time.monotonic() < deadline, f"nothing happens: {effects}"
            time.sleep(0.001)


def disk_ends_at(size: int) -> dict[str, Any]:
    """For `run` and `start`: no file of the process can grow beyond so many bytes."""
    limits = size, resource.RLIM_INFINITY
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)}


_PRELUDE = """\
import os, sys, time
from pydantic import BaseModel
from durably_cli import Step, define_job

def effect(line):
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{line}\\n".encode())
    os.close(fd)
    return line

"""


@pytest.fixture(autouse=True)
def no_call_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints of this process are made as if nothing had been called yet."""
    monkeypatch.setattr(hints, "_caller", None)
    monkeypatch.setattr(hints, "_read_elsewhere", False)


@pytest.fixture
def interpreters(project: Project) -> None:
    """Each command of the project starts an interpreter, as a shell does."""
    project.starts_interpreters = True


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    return Project(tmp_path)
