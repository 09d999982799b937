"""The processes of trials, one after the other: `durably trigger`, and `durably resume`.

They are forks of a few that have loaded durably, each of which has another seed for the hashes of
texts: so sets come in another order in a resumed run than before, as in real life. A script is
started as it always is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from durably_cli.cli.crash_test.notes import Notes, Orders
from durably_cli.cli.execution import IN_CRASH_TEST
from durably_cli.errors import DurablyError
from durably_cli.project.engine import engine_name
from durably_cli.project.script_files import is_script
from durably_cli.project.settings import ENGINE_VARIABLE, LOCAL, engine_settings
from durably_cli.system.folders import CACHE_VARIABLE, DATA_VARIABLE

_NURSERY = (sys.executable, "-P", "-m", "durably_cli.cli.crash_test.nursery")
_DURABLY = (sys.executable, "-P", "-m", "durably_cli")
_UNSEEN = ("DURABLY_QUIET", "DURABLY_NAME", "DURABLY_PROJECT")
_SEED = "PYTHONHASHSEED"
_SEEDS = 3
"""How many ways in which sets are ordered a resumed run is given in turn."""


class ProcessEnded(NamedTuple):
    """How a process has ended, what it printed on stdout and on stderr, and its notes.

    The code is None if it took too long, and negative if a signal ended it.
    """

    code: int | None
    out: str
    said: str
    notes: Notes


class Processes:
    """Starts them, one at a time, in folders of this one; a context manager that ends them all."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._project, self._folder, self._number = project, folder, 0
        self.data, self._cache = folder / "data", folder / "cache"
        self._alive = dict[int, subprocess.Popen[str]]()
        """By their seeds, those that fork; a script by 0."""

    def run(self, words: Sequence[str], orders: Orders, seconds: float) -> ProcessEnded:
        """`durably WORDS` for this project, with these orders, to its end."""
        self._number += 1
        seed = 1 if words[0] == "trigger" else 2 + self._number % _SEEDS
        whole = ["-C", str(self._project), *words]
        notes, out, said = (self._folder / name for name in ("notes", "out", "said"))
        env = {IN_CRASH_TEST: orders._replace(notes=str(notes)).dump()}
        if is_script(self._project):
            code = self._script(whole, env, seed, out, said, seconds)
        else:
            files = {"out": str(out), "said": str(said)}
            line = json.dumps({"words": whole, "env": env, "seconds": seconds, **files})
            code = self._forked(line, seed)
        printed, talk = (path.read_text("utf-8", "replace") for path in (out, said))
        ended = ProcessEnded(code, printed, talk, Notes(notes))
        notes.unlink(missing_ok=True)
        return ended

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._alive.values():
            with suppress(ProcessLookupError, PermissionError):  # it, and what it has forked
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()

    def _forked(self, line: str, seed: int) -> int | None:
        process = self._alive.get(seed)
        if process is None:
            process = self._alive[seed] = subprocess.Popen(
                _NURSERY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment(seed),
                text=True,
                start_new_session=True,  # a Ctrl-C is for the tester, which ends it
            )
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise DurablyError(f"the process that forks has ended with {process.wait()}")
        code: int | None = json.loads(answer)
        return code

    def _script(
        self,
        words: Sequence[str],
        env: dict[str, str],
        seed: int,
        out: Path,
        said: Path,
        seconds: float,
    ) -> int | None:
        """The script becomes its own process, with the environment that it is given here."""
        with out.open("wb") as stdout, said.open("wb") as stderr:
            process = self._alive[0] = subprocess.Popen(
                (*_DURABLY, *words),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self._environment(seed) | env,
                text=True,
                start_new_session=True,
            )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        del self._alive[0]
        return code

    def _environment(self, seed: int) -> dict[str, str]:
        own = {DATA_VARIABLE: str(self.data), CACHE_VARIABLE: str(self._cache), _SEED: str(seed)}
        if engine_name(engine_settings(self._project)) != LOCAL:
            own[ENGINE_VARIABLE] = LOCAL  # for nothing is tried on what others use
        inherited = {name: text for name, text in os.environ.items() if name not in _UNSEEN}
        return inherited | own
