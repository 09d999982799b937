"""Run the command in a fork of this very process: a process of its own, at a tenth of the price.

What a command imports is imported before it, so a fork can also run as a user who may not read it.
"""

from __future__ import annotations

import codecs
import getpass
import gzip
import io
import logging
import os
import pkgutil
import pty
import resource
import select
import signal
import sys
import tarfile
import termios
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pydantic
import rich.live
import rich.markdown
import rich.progress
import typer

import durably_cli
from durably_cli.__main__ import main

_PRELOADED = (
    *(pydantic.TypeAdapter, rich.live, rich.markdown, rich.progress, getpass, gzip, tarfile),
    *map(codecs.lookup, ("ascii", "idna", "latin-1", "utf-8-sig")),
)

for _package in (durably_cli, typer):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        if not _module.name.endswith(("__main__", "_winconsole")):
            import_module(_module.name)

HUNG = "it did not end"

_MEMORY = 4 << 30
"""How much a command may take: /dev/zero has no end."""


class TriggerResult(NamedTuple):
    """How a command ended, and the bytes that it wrote."""

    code: int
    out: bytes
    err: bytes

    def __repr__(self) -> str:
        out, err = (text.decode("utf-8", "backslashreplace") for text in (self.out, self.err))
        return f"exit {self.code}\n--- stdout\n{out[-3000:]}\n--- stderr\n{err[-3000:]}"


class How(NamedTuple):
    """How a command is run: where, with what, as whom, and which of its streams are terminals."""

    cwd: Path
    env: Mapping[str, str]
    user: int | None = None
    umask: int | None = None
    terminal_out: bool = False
    terminal_err: bool = False
    given: bytes = b""
    seconds: float = 20.0


def run(how: How, *args: str) -> TriggerResult:
    """Run `durably *args` to its end. AssertionError if that does not come in time."""
    return call(how, _command(args))


def call(how: How, act: Callable[[], object]) -> TriggerResult:
    """Run a function in a fork, as a process of its own."""
    streams = [_stream(how.terminal_out), _stream(how.terminal_err)]
    stdin, given = os.pipe()
    os.write(given, how.given)
    os.close(given)
    pid = os.fork()
    if pid == 0:
        _be_a_process(how, act, (stdin, *(writes for _, writes in streams)))
    for fd in (stdin, *(writes for _, writes in streams)):
        os.close(fd)
    out, err = _read(pid, [reads for reads, _ in streams], how.seconds)
    _, status = os.waitpid(pid, 0)
    ended = TriggerResult(os.waitstatus_to_exitcode(status), out, err)
    assert HUNG.encode() not in ended.err, ended
    return ended


def _command(args: tuple[str, ...]) -> Callable[[], object]:
    def act() -> None:
        sys.argv = ["durably", *args]
        main()

    return act


def _stream(is_terminal: bool) -> tuple[int, int]:
    if not is_terminal:
        return os.pipe()
    ours, theirs = pty.openpty()
    mode = termios.tcgetattr(theirs)
    mode[1] &= ~termios.OPOST  # what is written is what is read
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    return ours, theirs


def _read(pid: int, fds: list[int], seconds: float) -> tuple[bytes, bytes]:
    """All that is written to them; ended by force, and said so, if that takes too long."""
    found = dict.fromkeys(fds, b"")
    is_open, deadline = set(fds), time.monotonic() + seconds
    while is_open:
        ready, _, _ = select.select(is_open, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.killpg(pid, signal.SIGKILL)
            found[fds[1]] += HUNG.encode()
            deadline += seconds
        for fd in ready:
            try:
                data = os.read(fd, 1 << 16)
            except OSError:  # a terminal whose last user has closed it
                data = b""
            found[fd] += data
            if not data:
                is_open.remove(fd)
    for fd in fds:
        os.close(fd)
    return found[fds[0]], found[fds[1]]


def _be_a_process(how: How, act: Callable[[], object], streams: tuple[int, ...]) -> None:
    """In the fork: become what a shell would have started, act, and never come back."""
    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        os.closerange(3, 256)
        _forget_pytest()
        os.environ.clear()
        os.environ.update(how.env)
        if how.user is not None:
            os.setgroups([])
            os.setgid(how.user)
            os.setuid(how.user)
        os.chdir(how.cwd)
        os.umask(0o022 if how.umask is None else how.umask)
        act()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _forget_pytest() -> None:
    logging.root.handlers.clear()
    sys.stdin = _text(0, "r")
    sys.stdout = _text(1, "w")
    sys.stderr = _text(2, "w")


def _text(fd: int, mode: str) -> io.TextIOWrapper:
    file = open(fd, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
    assert isinstance(file, io.TextIOWrapper)
    return file


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
