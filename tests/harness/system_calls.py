"""The calls by which a command changes the disk: each is noted, and faults are put into some.

They are seen where they are made, in the command's own process: a fork in which the functions of
`os` are wrapped, and files are opened by Python's own `_pyio`, which writes with those.
"""

from __future__ import annotations

import _pyio
import builtins
import fcntl
import io
import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SYNCS = ("fdatasync", "fsync")
WRITES = ("write", "pwrite")
NAMINGS = ("link", "rename")
_BY_DESCRIPTOR = (*SYNCS, *WRITES, "ftruncate", "fchmod")
_BY_PATH = (*NAMINGS, "chmod", "mkdir", "unlink", "rmdir", "open")

_EVENT = re.compile(r'\{"seq":\d+,"type":"([a-z.]+)"')
_NAME = re.compile(r'"name":"([^"\\]+)"')


class Call(NamedTuple):
    """The `number`-th call that a process makes, counted from 1.

    `file` is the path that its descriptor is open on, or its first path; `target` the name that it
    gives; `data` what it writes; `gave` how many bytes that were, else 0, and -1 for an error, or
    if the process did not live to see.
    """

    number: int
    name: str
    file: str
    target: str
    data: str
    gave: int = -1

    def __str__(self) -> str:
        return f"call {self.number}, {self.name} {self.file} {self.target} {self.data[:100]}"

    @property
    def event(self) -> str:
        """Which event it writes to a journal, with the step's name behind it; else nothing."""
        match = _EVENT.match(self.data)
        name = _NAME.search(self.data)
        return f"{match[1]} {name[1]}" if match and name else match[1] if match else ""


class Fault(NamedTuple):
    """What happens at some calls, in place of each: `act` is given the real call and its words."""

    name: str
    where: Callable[[Call], bool]
    act: Callable[..., Any]


def at(number: int) -> Callable[[Call], bool]:
    """The call of this number."""
    return lambda call: call.number == number


def signals(number: signal.Signals) -> Callable[..., Any]:
    """The process gets a signal as it makes the call."""

    def act(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        return call(*args, **options)

    return act


def fails(number: int) -> Callable[..., Any]:
    """The call does nothing and fails."""

    def act(*_: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return act


def short(percent: int, *, dies: bool = False) -> Callable[..., Any]:
    """So many percent of a write get to the disk, at least a byte; then the process may die."""

    def act(call: Callable[..., int], fd: int, data: bytes, *offset: int) -> int:
        done = call(fd, bytes(data)[: max(1, len(data) * percent // 100)], *offset)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return act


def watch(log: Path, *faults: Fault) -> None:
    """In this very process: note each call in the log, and meet the faults."""
    _Watch(log, faults).install()


class _Watch:
    def __init__(self, log: Path, faults: tuple[Fault, ...]) -> None:
        self._faults, self._number, self._pid = faults, 0, os.getpid()
        self._noting = threading.RLock()  # threads make calls side by side
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._write = os.write

    def install(self) -> None:
        for name in (*_BY_DESCRIPTOR, *_BY_PATH):
            setattr(os, name, self._noted(name, getattr(os, name)))
        fcntl.fcntl = self._noted("fcntl", fcntl.fcntl)  # type: ignore[assignment]
        builtins.open = io.open = _pyio.open  # type: ignore[assignment]

    def _noted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if os.getpid() != self._pid or not _changes_disk(name, args):
                return real(*args, **options)
            with self._noting:
                self._number += 1
                made = Call(self._number, name, *_words(name, args, options))
                self._note(*made[:-1])
                act = next((each.act for each in self._faults if each.where(made)), None)
            done = act(real, *args, **options) if act else real(*args, **options)
            self._note(made.number, done if name in WRITES else 0)
            return done

        return call

    def _note(self, *words: object) -> None:
        self._write(self._log, f"{json.dumps(words)}\n".encode())


def _changes_disk(name: str, args: tuple[Any, ...]) -> bool:
    if name == "open":
        return bool(args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR))
    return name != "fcntl" or args[1] in (fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW)


def _words(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, str, str]:
    if name not in _BY_PATH:
        data = bytes(args[1]).decode("latin-1") if name in WRITES else ""
        return _path_of(args[0]), "", data
    target = _full(args[1], options.get("dst_dir_fd")) if name in NAMINGS else ""
    return _full(args[0], options.get("dir_fd")), target, ""


def _path_of(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}").removesuffix(" (deleted)")


def _full(path: Any, folder: int | None = None) -> str:
    """The path, from the root on; that of the open file, for one below /proc."""
    text = os.fsdecode(path)
    if text.startswith("/proc/self/fd/"):
        return _path_of(int(text.rpartition("/")[2]))
    return os.path.join(os.getcwd() if folder is None else _path_of(folder), text)


def calls_in(log: Path) -> list[Call]:
    """The calls that were noted, in order. One that a signal came before was not made."""
    found = dict[int, Call]()
    for number, *words in map(json.loads, log.read_text().splitlines()):
        if len(words) == 1:
            found[number] = found[number]._replace(gave=words[0])
        else:
            found[number] = Call(number, *words)
    return list(found.values())


class Met:
    """What a process did before and after the call that a fault was put into."""

    def __init__(self, log: Path, number: int) -> None:
        calls = calls_in(log)
        assert len(calls) >= number, f"the fault at call {number} was not met"
        self.call = calls[number - 1]
        self.before, self.after = calls[: number - 1], calls[number:]

    def durable_steps(self) -> set[str]:
        """The steps whose result was on disk before: acknowledged, whoever got to know of it."""
        found = set[str]()
        written: Call | None = None
        for each in self.before:
            if each.event.startswith("step.completed step-"):
                written = each
            elif written and each.name == "fdatasync" and each.file == written.file:
                if each.gave == 0:
                    found.add(written.event.rpartition("-")[2])
                written = None
        return found

    def check_file_was_left_alone(self) -> None:
        """After a sync has failed, nothing more is written to that file, and it is not synced."""
        if self.call.name in SYNCS:
            later = [
                each
                for each in self.after
                if each.name in (*SYNCS, *WRITES) and each.file == self.call.file
            ]
            assert not later, f"after a failed sync of {self.call.file}: {later}"

    def not_saved(self) -> tuple[str, int] | None:
        """The event that the failed call was to save, and how many bytes its journal had before.

        None if it was not for a journal that has its name.
        """
        calls = [*self.before, self.call]
        namings = [each for each in self.before if each.name in NAMINGS]
        named = {name for each in namings for name in (each.file, each.target)}
        appends = [each for each in calls if each.event and each.file in named]
        if not appends or self.call.name not in ("write", "fdatasync"):
            return None
        last = appends[-1]
        if self.call is not last and (self.call.name, self.call.file) != ("fdatasync", last.file):
            return None
        return last.event, sum(each.gave for each in calls if each.event and each is not last)
