"""Commands without a start-up: forks of one process that has imported durably and run nothing.

Whoever tests has one such server, and each command is a child of the tester, not of the server. It
has arguments, environment, folder and streams of its own, and can be killed at any moment. What is
not seen so is an interpreter's start, so an environment that changes it gets a server of its own,
and what README and the help pages show is always started by a shell.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

CALLS = (
    *("write", "fdatasync", "fsync", "ftruncate", "link", "rename", "unlink", "rmdir", "mkdir"),
    *("chmod", "fchmod", "open"),
)
"""The calls that change the disk, at which a command can send itself a signal."""

LONGEST = 100_000
"""How many bytes of a command the server takes: a packet has a limit."""

_READ_AT_START = (
    *("PYTHON", "LC_", "LANG", "LD_", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "PY_COLORS"),
    *("GITHUB_ACTIONS", "TYPER_", "_TYPER", "PYDANTIC", "FAKETIME"),
)
"""How the variables begin that Python and its packages read while they are imported."""

_PR_SET_CHILD_SUBREAPER = 36


class Asked(NamedTuple):
    """`durably *args`, to be started. It sends itself the signal at the n-th of its CALLS."""

    args: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    umask: int = -1
    new_session: bool = False
    signal_at: tuple[int, int] = (0, 0)

    def line(self) -> bytes:
        """It, as the server reads it."""
        return json.dumps(self).encode("ascii")


class ForkServer:
    """Starts commands, from any thread, until this process ends."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-m", __name__, str(theirs.fileno())),
                cwd=ROOT,
                env=env,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def fork(self, line: bytes, streams: Sequence[int]) -> int:
        """Start a command with these streams, and return the id of this process's new child."""
        with self._lock, _adopts_orphans():
            socket.send_fds(self._asks, [line], streams)
            command = int(self._asks.recv(32))
            self._asks.recv(32)  # it is an orphan now
            return command

    def _end(self) -> None:
        self._asks.close()
        self._process.wait()


def server_for(env: Mapping[str, str], *, at_once: bool = False) -> ForkServer | None:
    """One whose forks are what an interpreter with this environment is.

    None if there is none: it is made for the third command with such an environment, or at once.
    """
    at_start = frozenset((name, env[name]) for name in env if name.startswith(_READ_AT_START))
    if at_start not in _servers and sys.platform == "linux":
        _met[at_start] += 1
        if at_once or _met[at_start] == 3:
            _servers[at_start] = ForkServer(env)
    return _servers.get(at_start)


_met = Counter[frozenset[tuple[str, str]]]()
_servers: dict[frozenset[tuple[str, str]], ForkServer] = {}


@contextmanager
def _adopts_orphans() -> Iterator[None]:
    """Meanwhile an orphan among the descendants of this process becomes its child."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _serve(asks: socket.socket) -> None:
    """Fork for each command; return in the child, when it is what a shell would have started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at a terminal is for the tests
    _import_all()
    gc.freeze()
    while True:
        line, fds, _, _ = socket.recv_fds(asks, 2 * LONGEST, 3)
        if not line:
            sys.exit()
        if child := os.fork():
            os.waitpid(child, 0)
            asks.send(b"orphaned")
            for fd in fds:
                os.close(fd)
        elif command := os.fork():
            asks.send(str(command).encode())
            os._exit(0)
        else:
            asks.close()
            _become(Asked(*json.loads(line)), fds)
            return


def _import_all() -> None:
    import pydantic
    import typer.main

    import durably_cli.cli
    from durably_cli.cli.app import app
    from durably_cli.cli.commands import COMMANDS

    pydantic.TypeAdapter(dict)
    for module in pkgutil.walk_packages(durably_cli.__path__, "durably_cli."):
        if not (module.name.endswith("__main__") or ".engines.dbos" in module.name):
            import_module(module.name)
    typer.main.get_params_from_function = cache(typer.main.get_params_from_function)
    for name in COMMANDS:
        typer.main.get_command(app).get_command(None, name)


def _become(asked: Asked, fds: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    if asked.new_session:
        os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        setattr(sys, name, _stream(getattr(sys, name), mode))
        setattr(sys, f"__{name}__", getattr(sys, name))
    if asked.umask >= 0:
        os.umask(asked.umask)
    os.environ.clear()
    os.environ.update(asked.env)
    time.tzset()
    os.chdir(asked.cwd)
    sys.path[0] = os.getcwd()
    sys.argv[1:] = asked.args
    number, at = asked.signal_at
    if number:
        _send_at(number, at)


def _stream(found: Any, mode: str) -> Any:
    fd = found.fileno()
    stream = open(fd, mode, encoding=found.encoding, errors=found.errors, closefd=False)  # noqa: SIM115
    if fd == 2:
        stream.reconfigure(line_buffering=True)
    return stream


def _send_at(number: int, at: int) -> None:
    calls = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), number)
            return real(*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


def _end_as_interpreters_do(main: Callable[[], object]) -> None:
    """But for the modules, which are not taken apart: that would take as long as all the rest."""
    code: object = 1
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in sys.stdout, sys.stderr:
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv.pop())))
    _end_as_interpreters_do(
        lambda: runpy.run_module("durably_cli", run_name="__main__", alter_sys=True)
    )
