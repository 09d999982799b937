"""Commands that run side by side, are signalled at any moment, and asked for results later."""

from __future__ import annotations

import itertools
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.conftest import Project, Result


class Command:
    """A command that was started; it can be signalled until its `result` is asked for."""

    def __init__(self, project: Project, args: tuple[str, ...], folder: Path, **popen: Any) -> None:
        self._streams = folder / "out", folder / "err"
        folder.mkdir(parents=True)
        with self._streams[0].open("wb") as out, self._streams[1].open("wb") as err:
            self._process = project.start(
                *args, stdout=out, stderr=err, start_new_session=True, **popen
            )
        self.pid = self._process.pid
        self.has_stopped = self._process.has_stopped

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Has it, or will it have within so many seconds?"""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def signal(self, number: int) -> bool:
        """Send it a signal; False if it has ended before."""
        if self.has_ended():
            return False
        self._process.send_signal(number)
        return True

    def kill(self) -> bool:
        """SIGKILL it; False if it has ended otherwise."""
        self.signal(signal.SIGKILL)
        return self.result().code == -signal.SIGKILL

    def result(self) -> Result:
        """How it ended, which must be within two minutes."""
        code = self._process.wait(120)
        return Result(code, *(path.read_text("utf-8", "replace") for path in self._streams))


class Warm:
    """Starts commands in a project, from any thread; a context manager that leaves none behind."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._folder = project.root.parent / "streams"
        self._numbers = itertools.count(len([*self._folder.glob("*")]))
        self._started: list[Command] = []

    def start(self, *args: str, **popen: Any) -> Command:
        """Start `durably *args`; `signal_at` is for a signal that it is to send itself."""
        folder = self._folder / str(next(self._numbers))
        command = Command(self._project, args, folder, **popen)
        self._started.append(command)
        return command

    def run(self, *args: str, expect: int | None = 0) -> Result:
        """Run `durably *args` to its end, which must have the expected exit code."""
        result = self.start(*args).result()
        assert expect is None or result.code == expect, result
        return result

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self._started:
            command.kill()
