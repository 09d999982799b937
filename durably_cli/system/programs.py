"""The programs of one run: launched by its supervisor, and ended with the run.

The supervisor is a process that is started with the first program (module `supervisor`). It is not
a child of this one, whose job may wait for all children that it has. A fork of this process has no
part in it: it lets go of the socket at once, for durably is gone when that is closed.

While it lives, it holds a lock on a file in the run's folder `<run id>.programs`; the file goes
when all have ended, so that a resume knows whether there may be some left.
"""

from __future__ import annotations

import _socket
import os
import select
import sys
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from signal import SIGPIPE, SIGXFSZ
from typing import NamedTuple

from durably_cli.system import files, locks, messages
from durably_cli.system.leftovers import end_unsupervised
from durably_cli.system.process_table import MARK, SUPERVISOR_OF, Owner
from durably_cli.system.signals import shielded

LOCK = "supervisor"
"""What the name of the file begins with that a supervisor holds."""

_GOES_MS = 200
"""How long a supervisor that was killed may take to be gone."""

_MARK = MARK.encode()
_ROOT = str(Path(__file__).parents[2])
_CODE = f"""\
import sys
sys.path.append({_ROOT!r})
from durably_cli.system.supervisor import supervise
supervise()
"""


class Launch(NamedTuple):
    """What to launch: the file to execute, the program's arguments and variables, and where."""

    path: str
    arguments: list[str]
    environment: dict[bytes, bytes]
    folder: str


class Channel:
    """Leads to one program: readable when that has ended."""

    def __init__(self, socket: _socket.socket, supervisor: _socket.socket) -> None:
        self._socket, self._supervisor = socket, supervisor

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def result(self) -> int:
        """The exit code, negative for a signal, of one that has ended.

        OSError if it could not be launched; SupervisorLost if nobody knows.
        """
        found = messages.received(self._socket)
        if found is None:
            self._see_it_go()
            raise SupervisorLost("the process that supervises the run's programs was ended")
        what, code, *where = found[0]
        if what == "failed":
            raise OSError(code, os.strerror(code), *where)
        return int(code)

    def _see_it_go(self) -> None:
        """Wait until a killed supervisor has closed all its ends: it takes no request after that.

        One that was only short of descriptors lives on, and so do its other programs.
        """
        with suppress(OSError, ValueError):  # ours is closed
            hangup = select.poll()
            hangup.register(self._supervisor, 0)
            hangup.poll(_GOES_MS)

    def end(self) -> None:
        """Have the program ended, and all that it started; it is readable when they are gone."""
        with suppress(OSError):
            self._socket.shutdown(_socket.SHUT_WR)

    def close(self) -> None:
        """Wait no longer for it; ends the program if it has not ended."""
        with suppress(OSError):
            self._socket.shutdown(_socket.SHUT_RDWR)
        self._socket.close()


class SupervisorLost(ChildProcessError):
    """The process that supervises programs is gone, and with it what it knew of them."""


class Programs:
    """Launches the programs of one run.

    `folder` is the run's for them, None for programs of no run; `mark` what they are known by,
    None if that is to be what no other process has. `owner` is the process that executes the run,
    if this one is a fork of it: the programs end with either.
    """

    def __init__(
        self, folder: Path | None, mark: str | None = None, owner: Owner | None = None
    ) -> None:
        self._owner = owner
        self.folder, self._is_of_process = folder, mark is None
        self.mark = mark or _mark_of_process()
        self._numbers, self._outputs = count(1), count(1)
        self._lock = threading.Lock()
        self._socket: _socket.socket | None = None
        self._before = list[_socket.socket]()
        self._ids: tuple[int, ...] = ()
        self._has_lost_some = False
        _all.add(self)

    @shielded
    def launch(
        self, launch: Launch, streams: list[int], outputs: Iterable[int] = ()
    ) -> tuple[Channel, str]:
        """Launch a program with these three standard streams; its channel, and its mark.

        `outputs` are where what it prints is read; they stay open as long as it can print.
        """
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        mark = f"{self.mark}/{next(self._numbers)}"
        path, arguments, environment, folder = launch
        request = path, arguments, environment | {_MARK: os.fsencode(mark)}, folder, mark
        try:
            with self._lock:
                supervisor = self._send(request, [theirs.fileno(), *streams, *outputs])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Channel(ours, supervisor), mark

    def close(self, *, is_stopped: bool = False) -> None:
        """The run is over: what still lives of its programs is ended, after this returns.

        What a supervisor knew that was killed is ended here, which takes 5 seconds at most. If the
        run `is_stopped` it is only asked to: a resume names what has not ended by then.
        """
        with self._lock:
            sockets = [each for each in (*self._before, self._socket) if each is not None]
            self._socket = None
            self._before.clear()
            self._has_lost_some = self._has_lost_some or any(map(_is_dead, sockets))
            for socket in sockets:
                with suppress(OSError):
                    socket.shutdown(_socket.SHUT_RDWR)
                socket.close()
        if self._has_lost_some:
            end_unsupervised(self.mark, is_asked_only=is_stopped)

    def new_output(self, stream: str) -> tuple[int, Path] | None:
        """A new file for what a program prints: its descriptor and path; None outside of runs."""
        if self.folder is None:
            return None
        while True:
            files.make_folder(self.folder)
            path = self.folder / f"{next(self._outputs)}.{stream}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            # There is one of an attempt before; or a supervisor of before has removed the folder.
            with suppress(FileExistsError, FileNotFoundError):
                return os.open(path, flags, 0o600), path

    def _send(self, request: object, fds: list[int]) -> _socket.socket:
        """Send a request to the supervisor, started if there is none; the socket to it."""
        ids = os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()
        if self._ids != ids:  # a program is to have the rights that the job has now
            self._ids = ids
            if self._socket is not None:  # its programs live on until the run ends
                self._before.append(self._socket)
                self._socket = None
        if self._socket is not None:
            try:
                messages.send(self._socket, request, fds)
                return self._socket
            except OSError:  # it was ended
                self._has_lost_some = True
                self._socket.close()
        self._socket = self._started()
        messages.send(self._socket, request, fds)
        return self._socket

    def _started(self) -> _socket.socket:
        """The socket of a new supervisor."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
        python = sys.executable or ""  # which a job may have taken away
        arguments = [python, "-I", "-S", "-c", _CODE, SUPERVISOR_OF + self.mark]
        owners = self._pidfds()
        lock, lock_path = self._held()
        fds = [*owners, lock.fd] if lock else owners
        try:
            pid = os.posix_spawn(
                python,
                arguments,
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), *quiet],
                setsigmask=(),
                setsigdef=(SIGPIPE, SIGXFSZ),
            )
            messages.send(ours, (lock_path, len(owners)), fds)
            with suppress(ChildProcessError):  # somebody waits for all children
                os.waitpid(pid, 0)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            if lock is not None:
                lock.close()
            for fd in owners:
                os.close(fd)
        return ours

    def _pidfds(self) -> list[int]:
        """What says that this process has ended, or the one that executes the run."""
        if self._owner is None:
            found = [Owner.this().pidfd()]
        else:
            try:
                found = [self._owner.pidfd(), Owner.this().pidfd()]
            except ProcessLookupError:
                raise SupervisorLost("the process that executed the run was ended") from None
        return [fd for fd in found if fd >= 0]

    def _held(self) -> tuple[locks.Lock | None, str]:
        """A new file in the run's folder, locked, which the supervisor removes at its end."""
        if self.folder is None:
            return None, ""
        while True:
            try:
                fd, path = files.create(self.folder, LOCK)
            except FileNotFoundError:  # the supervisor before this one removes the folder
                continue
            except PermissionError:  # the job has given up its user
                return None, ""
            return locks.acquire(fd), str(path)

    def _forget(self) -> None:
        """Nothing is supervised by this process, which is a fork."""
        if self._socket is not None:
            self._socket.close()
        for socket in self._before:
            socket.close()
        self._before.clear()
        self._lock, self._socket, self._has_lost_some = threading.Lock(), None, False
        if self._is_of_process:
            self.mark = _mark_of_process()


def _is_dead(supervisor: _socket.socket) -> bool:
    """Has the other end of this socket been closed?"""
    hangup = select.poll()
    hangup.register(supervisor, 0)
    return bool(hangup.poll(0))


def _mark_of_process() -> str:
    """A mark that no other process has, or has had: those with it may be killed."""
    return f"process-{os.getpid()}-{os.urandom(8).hex()}"


_all: weakref.WeakSet[Programs] = weakref.WeakSet()


def _forget_after_fork() -> None:
    for each in list(_all):
        each._forget()


os.register_at_fork(after_in_child=_forget_after_fork)
