"""What a job does to the world: which watched paths change, and what else it touches."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NAMED = {
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.remove": 0,
    "os.mkdir": 0,
    "os.rmdir": 0,
    "os.truncate": 0,
    "sqlite3.connect": 0,
}
"""Which argument of these audited calls is the path that is changed."""
_NO_FILES = ("/dev/", "/proc/", "/sys/")
_COMPILED = ("__pycache__", ".pyc")

Touched = Callable[[str, str], object]


class Marks:
    """How watched paths look from outside, which a stat says; and which do so no more."""

    def __init__(self, watched: list[str]) -> None:
        self._last = {path: _mark_of(path) for path in watched}

    def changed(self) -> list[str]:
        """Those that have changed since the last look."""
        found = list[str]()
        for path, last in self._last.items():
            mark = _mark_of(path)
            if mark != last:
                self._last[path] = mark
                found.append(path)
        return found


def _mark_of(path: str) -> tuple[Any, ...]:
    return tuple(_stats(path)) + tuple(_stats(f"{path}-wal")) + tuple(_stats(f"{path}-journal"))


def _stats(path: str) -> Iterator[tuple[Any, ...]]:
    try:
        status = os.lstat(path)
    except OSError:
        return
    if not os.path.isdir(path) or os.path.islink(path):
        if status.st_size or not path.endswith("-wal"):  # a reader makes an empty one
            yield path, status.st_ino, status.st_size, status.st_mtime_ns
        return
    yield path, status.st_ino
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for name in names:
        if not name.endswith("-shm"):
            yield from _stats(os.path.join(path, name))


def note_what_is_touched(touched: Touched, own: list[str]) -> None:
    """Call `touched` with a kind and a name, once for each that this process touches from now on.

    That is files that are opened to be written, servers, and programs; none below the `own` ones.
    """
    seen = set[tuple[str, str]]()
    process = os.getpid()
    apart = tuple(os.path.join(folder, "") for folder in own)

    def say(kind: str, name: object) -> None:
        try:
            text = os.path.abspath(os.fsdecode(name)) if kind == "file" else str(name)  # type: ignore[arg-type]
        except (TypeError, ValueError, OSError):
            return
        is_ours = kind == "file" and (
            text.startswith((*apart, *_NO_FILES)) or any(part in text for part in _COMPILED)
        )
        if not is_ours and (kind, text) not in seen:
            seen.add((kind, text))
            touched(kind, text)

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(args[2], int) and args[2] & _WRITING:
                say("file", args[0])
        elif event in _NAMED:
            name = args[_NAMED[event]]
            if not (isinstance(name, str) and name.startswith("file:")):  # a URI: it opens that
                say("file", name)
        elif event == "socket.connect":
            address = args[1]
            say("server", f"{address[0]}:{address[1]}" if isinstance(address, tuple) else address)
        elif event == "subprocess.Popen":
            say("program", args[0])

    sys.addaudithook(lambda event, args: hear(event, args) if os.getpid() == process else None)
