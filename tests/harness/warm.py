"""Commands without a start-up: forks of a process that has imported durably and nothing else.

Each is a process of its own, with a standard input, output and error of its own, and can be killed
at any moment. So there can be many of them, and they meet within a millisecond. What is not told so
is the start of an interpreter: some commands of each part are started as a shell would.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Project, Result

CALLS = (
    *("write", "fdatasync", "fsync", "ftruncate", "link", "rename", "unlink", "rmdir", "mkdir"),
    *("chmod", "fchmod", "open"),
)
"""The calls that change the disk, at which a command can send itself a signal."""

_SERVER = f"""
import contextlib, gc, io, json, os, pydantic, signal, sys
import durably_cli.cli
from durably_cli.cli import execution
from durably_cli.cli.commands import inspect, list_

def counted(real):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), number)
        return real(*args, **options)
    return call

pydantic.TypeAdapter(dict)
for words in ("trigger", "-h"), ("resume", "-h"), ("list", "-h"):
    sys.argv = ["durably", *words]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        durably_cli.cli.run_command_line()
gc.freeze()
for line in sys.stdin:
    asked = json.loads(line)
    if "reap" in asked:
        print(os.waitstatus_to_exitcode(os.waitpid(asked["reap"], 0)[1]), flush=True)
        continue
    child = os.fork()
    if not child:
        break
    print(child, flush=True)
else:
    sys.exit()

os.setsid()
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
for stream, path in enumerate(asked["streams"], 1):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
os.closerange(3, 64)
sys.argv = ["durably", *asked["args"]]
(number, at), calls = asked["signal"], 0
if number:
    for name in {CALLS}:
        setattr(os, name, counted(getattr(os, name)))
try:
    durably_cli.cli.run_command_line()
except SystemExit as leaving:
    os._exit(leaving.code or 0)
"""


class Command:
    """A command that was started; it can be signalled until its `result` is asked for."""

    def __init__(self, server: Warm, pid: int, streams: tuple[Path, Path]) -> None:
        self.pid = pid
        self._server, self._streams = server, streams
        self._fd = os.pidfd_open(pid)
        self._result: Result | None = None

    def has_stopped(self) -> bool:
        """Wait until it stands still; False if it has ended instead."""
        while not self.has_ended(0.002):
            try:
                if Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                    return True
            except FileNotFoundError:
                return False
        return False

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Has it, or will it have within so many seconds?"""
        if self._result is not None:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def signal(self, number: int) -> bool:
        """Send it a signal; False if it has ended before."""
        if self.has_ended():
            return False
        signal.pidfd_send_signal(self._fd, number)
        return True

    def kill(self) -> bool:
        """SIGKILL it; False if it has ended otherwise."""
        self.signal(signal.SIGKILL)
        return self.result().code == -signal.SIGKILL

    def result(self) -> Result:
        """How it ended, which must be within two minutes."""
        if self._result is None:
            assert self.has_ended(120), "the command hangs"
            code = self._server.reap(self.pid)
            out, err = map(_text, self._streams)
            self._result = Result(code, out, err)
            for path in self._streams:
                path.unlink(missing_ok=True)
            os.close(self._fd)
        return self._result


class Warm:
    """Starts commands in a project, from any thread; a context manager that leaves none behind."""

    def __init__(self, project: Project) -> None:
        self._folder = project.root.parent / "streams"
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._started: list[Command] = []
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            cwd=project.root,
            env=project.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *args: str, signal_at: tuple[int, int] = (0, 0)) -> Command:
        """Start `durably *args`, which is to send itself a signal at the n-th of CALLS."""
        with self._lock:
            number = len(self._started)
            streams = self._folder / f"{number}.out", self._folder / f"{number}.err"
            asked = {"args": args, "streams": [*map(str, streams)], "signal": signal_at}
            command = Command(self, self._ask(asked), streams)
            self._started.append(command)
        return command

    def run(self, *args: str, expect: int | None = 0) -> Result:
        """Run `durably *args` to its end, which must have the expected exit code."""
        result = self.start(*args).result()
        assert expect is None or result.code == expect, result
        return result

    def reap(self, pid: int) -> int:
        """The exit code of a process that has ended."""
        with self._lock:
            return self._ask({"reap": pid})

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self._started:
            command.kill()
        self._server.communicate(timeout=60)

    def _ask(self, asked: dict[str, object]) -> int:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@contextmanager
def served(project: Project) -> Iterator[Warm]:
    """Meanwhile `project.run` starts no interpreter, unless it is given more than arguments."""
    with Warm(project) as warm:

        def run(*args: str, expect: int | None = 0, **popen: Any) -> Result:
            if popen:
                return Project.run(project, *args, expect=expect, **popen)
            return warm.run(*args, expect=expect)

        project.run = run  # type: ignore[method-assign]
        try:
            yield warm
        finally:
            del project.run


def _text(path: Path) -> str:
    """What a command wrote; nothing if it was killed before it had its streams."""
    return path.read_text("utf-8", "replace") if path.exists() else ""
