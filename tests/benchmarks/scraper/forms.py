"""The forms that are compared: how each is set up in a folder, begun, and begun again."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.peers.packages import DBOS

SCRIPTS = Path(__file__).parent / "scripts"


class Form(NamedTuple):
    """A script, where it lies in the folder, and the commands that begin it and go on with it."""

    name: str
    script: str
    place: str
    first: Callable[[Path], list[str]]
    again: Callable[[Path], list[str]]

    @property
    def lines(self) -> int:
        """How many lines its user writes, without blank ones and comments."""
        lines = map(str.strip, (SCRIPTS / self.script).read_text("utf-8").splitlines())
        return sum(not line.startswith("#") for line in lines if line)

    def put_into(self, folder: Path) -> None:
        """Put the script where it is looked for."""
        (folder / self.place).parent.mkdir(exist_ok=True)
        shutil.copy(SCRIPTS / self.script, folder / self.place)


def _parallel(peers: Path) -> list[str]:
    return ["sh", "scrape.sh"]


def _dbos(peers: Path) -> list[str]:
    return [DBOS.launcher(peers)[0], "scrape.py"]


def _durably(*args: str) -> list[str]:
    return [str(Path(sys.executable).with_name("durably")), *args]


FORMS = (
    Form(
        "durably, step.map",
        "with_durably.py",
        "jobs/scrape.py",
        lambda _: _durably("trigger", "scrape"),
        lambda _: _durably("resume", "@last"),
    ),
    Form("GNU parallel and curl", "with_parallel.sh", "scrape.sh", _parallel, _parallel),
    Form("DBOS, on SQLite", "with_dbos.py", "scrape.py", _dbos, _dbos),
)


def missing(peers: dict[str, str]) -> dict[str, str]:
    """The forms that cannot be tried here, and why; `peers` says so of packages."""
    found = {}
    if not shutil.which("parallel") or not shutil.which("curl"):
        found["GNU parallel and curl"] = "needs parallel and curl"
    if "dbos" in peers:
        found |= {form.name: peers["dbos"] for form in FORMS if form.name.startswith("DBOS")}
    return found
