"""Processes that tests start: interpreters, and forks of one that has started already."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.harness.fork_server import LONGEST, Asked, ForkServer, server_for


class Result:
    """How a command ended and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Started(subprocess.Popen[str]):
    """A process that does not outlive a `with` block that fails."""

    _result: Result | None = None

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if kind is not None:
            self.kill()
        try:
            super().__exit__(kind, *error)
        except BaseException:  # of the time limit, for one, while it waits for the end
            self.kill()
            raise

    def result(self, given: str | None = None) -> Result:
        """How it ended, which must be within two minutes."""
        if self._result is None:
            out, err = self.communicate(given, timeout=120)
            self._result = Result(self.returncode, out or "", err or "")
        return self._result

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Has it, or will it have within so many seconds?"""
        with suppress(subprocess.TimeoutExpired):
            self.wait(seconds)
        return self.returncode is not None

    def is_killed(self) -> bool:
        """SIGKILL it; False if it has ended otherwise."""
        self.kill()
        return self.result().code == -signal.SIGKILL

    def has_stopped(self) -> bool:
        """Wait until it stands still; False if it has ended instead."""
        while self.poll() is None:
            if Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return True
            time.sleep(0.001)
        return False


def resuming(project: Path) -> list[int]:
    """The processes that a tick has begun for runs of the project in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"--only-as-attempt" in words and str(project).encode() in words:
            found.append(int(path.parent.name))
    return found


class Forked(Started):
    """`durably *args`, as a fork of the server that all tests of this process share."""

    def __init__(self, asked: Asked, server: ForkServer, **popen: Any) -> None:
        self._asked, self._server = asked, server
        super().__init__(asked.args, **popen)

    def _execute_child(self, *given: Any) -> None:
        """What Popen does to start a process, and what comes of its streams."""
        named = dict(zip(_PARTS_OF_A_START, given, strict=True))
        streams = named["p2cread"], named["c2pwrite"], named["errwrite"]
        inherited = [number if fd == -1 else fd for number, fd in enumerate(streams)]
        self.pid = self._server.fork(self._asked.line(), inherited)
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(named[end] for end in ends))  # type: ignore[attr-defined]


def forked(
    args: tuple[str, ...], *, signal_at: tuple[int, int] = (0, 0), **popen: Any
) -> Forked | None:
    """`durably *args` with these options of Popen; None if only an interpreter is what is asked."""
    if popen.keys() - _TAKEN or not os.path.isdir(popen["cwd"]):
        return None
    server = server_for(popen["env"], at_once=signal_at != (0, 0))
    asked = Asked(
        args,
        os.fspath(popen["cwd"]),
        popen["env"],
        popen.get("umask", -1),
        popen.get("start_new_session", False),
        signal_at,
    )
    if server is None or len(asked.line()) > LONGEST:
        return None
    return Forked(asked, server, **popen)


_TAKEN = {
    *("stdin", "stdout", "stderr", "cwd", "env", "text", "encoding", "errors", "umask", "bufsize"),
    "start_new_session",
}
"""The options of Popen that a fork can have; preexec_fn is none of them."""

_PARTS_OF_A_START = tuple(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]  # type: ignore[attr-defined]
