"""Signals at the system calls of C code, which `system_calls` does not see: strace sends them.

A command stops at its first call that changes the disk, strace takes hold of it, and it goes on.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.conftest import Project, Result, Started

_CALL = re.compile(r"(\d+) +(\w+)\(")
_STOPPED = "--- stopped by SIGSTOP ---"
_BEGIN, _END = r"\"type\":\"step.started\"", r"\"type\":\"run.completed\""


class SystemCall(NamedTuple):
    """The `number`-th call of this name that a command makes under strace, counted from 1."""

    name: str
    number: int


def skip_without_strace() -> None:
    """Skip the test where nothing can be traced."""
    if not shutil.which("strace"):
        pytest.skip("not installed: strace")


class Traced:
    """`durably *args` under strace, of which the calls of these kinds are seen."""

    def __init__(self, project: Project, kinds: str, *args: str) -> None:
        self._project, self._kinds, self._args = project, kinds, args
        self._log = project.root.parent / "calls"

    def calls_of_steps(self) -> list[SystemCall]:
        """The calls that it makes from its first step on until it ends."""
        with self._started() as process:
            assert process.result().code == 0, process.result()
        counts, found = Counter[str](), list[SystemCall]()
        lines = self._log.read_text().splitlines()
        for line in lines:
            match = _CALL.match(line)
            if match and match[1] == lines[0].partition(" ")[0]:  # of the main thread
                counts[match[2]] += 1
                if found or _BEGIN in line:
                    found.append(SystemCall(match[2], counts[match[2]]))
                if _END in line:
                    break
        return found

    def killed_at(self, call: SystemCall) -> Result:
        """How it ends if it is killed as it enters this call."""
        with self._started(call, signal.SIGKILL) as process:
            return process.result()

    def stopped_at(self, call: SystemCall, meanwhile: Callable[[], None]) -> Result:
        """How it ends if it is stopped in this call while something else happens."""
        with self._started(call, signal.SIGSTOP) as process:
            if self._has_stopped(process, 2):
                meanwhile()
                process.send_signal(signal.SIGCONT)
            return process.result()

    def _has_stopped(self, process: Started, times: int) -> bool:
        """Wait until it has stopped so often; False if it has ended instead."""
        while not self._log.exists() or self._log.read_text().count(_STOPPED) < times:
            if process.poll() is not None:
                return False
            time.sleep(0.002)
        return True

    @contextmanager
    def _started(
        self, call: SystemCall | None = None, number: signal.Signals | None = None
    ) -> Iterator[Started]:
        options = ["-f", "-s", "100", "-o", str(self._log), "-e", f"trace={self._kinds}"]
        if call and number:
            options += ["-e", f"inject={call.name}:signal={number.name}:when={call.number}"]
        with self._project.start(*self._args, signal_at=(signal.SIGSTOP, 1)) as process:
            assert process.has_stopped(), process.result()
            command = ("strace", *options, "-p", str(process.pid))
            self._log.unlink(missing_ok=True)
            with Started(command, stderr=subprocess.DEVNULL, text=True):
                assert self._has_stopped(process, 1), process.result()
                process.send_signal(signal.SIGCONT)
                yield process
