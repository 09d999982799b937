"""Projects of the engine dbos: a real server, and worker processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from tests.conftest import DURABLY, Project

_names = count()


class WorkedProject(Project):
    """A project whose runs workers execute."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.name = f"trial-{os.getpid()}-{next(_names)}"
        self.root.joinpath("pyproject.toml").write_text(
            f'[tool.durably]\nengine = "dbos"\nname = "{self.name}"\n'
        )
        self.env["DURABLY_DATABASE_URL"] = url
        self._workers: list[subprocess.Popen[str]] = []

    def work(
        self, slots: int = 2, *options: str, at_once: bool = False, inside: str = ""
    ) -> Worked:
        """Start a worker, and return once it takes up runs, unless `at_once`.

        It may be inside a network namespace.
        """
        said = self.root.parent / f"worker-{len(self._workers)}"
        within = ("ip", "netns", "exec", inside) if inside else ()
        with said.open("w") as err:
            process = subprocess.Popen(
                (*within, *DURABLY, "worker", "-n", str(slots), *options),
                cwd=self.root,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
                text=True,
            )
        self._workers.append(process)
        worked = Worked(process, said)
        deadline = time.monotonic() + 60
        while not (at_once or worked.takes_up_runs):
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)
        return worked

    def end(self) -> None:
        """Kill the workers that are left."""
        for process in self._workers:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


class Worked:
    """A worker process, and the file of what it says."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self.process, self.said = process, said
        self.pid, self.send = process.pid, process.send_signal

    @property
    def takes_up_runs(self) -> bool:
        """Has it begun, and is it not over?"""
        return self.process.poll() is None and "worker " in self.said.read_text()

    @property
    def is_killed(self) -> bool:
        """Has a SIGKILL ended it?"""
        return self.process.poll() == -signal.SIGKILL

    def kill(self) -> None:
        """Kill it, as nobody can refuse."""
        self.process.kill()
        self.process.wait()


@contextmanager
def prepared(url: str) -> Iterator[str]:
    """The URL of a server whose database has the tables."""
    folder = Path("/")
    env = {**os.environ, "DURABLY_DATABASE_URL": url, "DURABLY_ENGINE": "dbos"}
    program = (
        "import sys\n"
        "from durably_cli.engines.dbos.administration import make_tables\n"
        "from durably_cli.engines.dbos.database import RunDatabase\n"
        "make_tables(RunDatabase(sys.argv[1], 'tests'))\n"
    )
    subprocess.run((sys.executable, "-c", program, url), cwd=folder, env=env, check=True)
    yield url
