"""The process that launches a run's programs, and ends them with their run.

It is a small interpreter of its own, which imports C modules and next to nothing of durably: 13 ms
once a run, where `socket`, `signal` and `ctypes` would make 35 of it. The module `programs` is the
other end of its socket, which is its standard input.

On Linux it is the subreaper of what it launches: who has daemonized, or left the session, is its
child then. So it ends the whole tree: TERM, after 5 seconds KILL, until nobody is left. One program
is ended so when its channel is closed, and all of them when durably is gone: when the socket is at
its end, or the pidfd of durably says so, where a fork of durably holds the socket too.

Elsewhere it ends process groups. On macOS this has never been run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import os
import select

from durably_cli.system.ending import Ending
from durably_cli.system.held_output import HeldOutput
from durably_cli.system.messages import answer, received
from durably_cli.system.process_table import (
    Process,
    below,
    has_mark,
    living,
    processes,
)
from durably_cli.system.subreaper import become_subreaper

TYPE_CHECKING = False  # not that of typing, which takes 5 ms to load
if TYPE_CHECKING:
    from typing import Any

_TICK_MS = 20
_SLOW_TICK_MS = 500
_SIGNALS = (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT)


class _Program:
    """One that was launched; `channel` leads to the call that waits for it."""

    status: int | None = None
    ending: Ending | None = None

    def __init__(self, pid: int, mark: str, channel: _socket.socket) -> None:
        self.pid, self.mark, self.channel = pid, mark, channel


class _Supervisor:
    def __init__(self, requests: _socket.socket) -> None:
        self.requests, self.is_subreaper = requests, become_subreaper()
        self.owners = list[int]()
        self.lock_path = ""
        self.programs = dict[int, _Program]()
        self.channels = dict[int, _Program]()
        self.left = set[int]()
        """Process groups of programs that have ended and left others, where there is no tree."""
        self.ending: Ending | None = None
        self.has_children = self.is_to_close = False
        self.poll = select.poll()
        self.output = HeldOutput(self.poll)
        self.woken, wakes = os.pipe()
        for fd in (self.woken, wakes):
            os.set_blocking(fd, False)
        _signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, _noted)
        for signum in _SIGNALS:
            _signal.signal(signum, self._note)
        for fd in (self.woken, requests.fileno()):
            self.poll.register(fd, select.POLLIN)

    def run(self) -> None:
        """Serve until durably is gone, and all that was launched has ended."""
        message, fds = received(self.requests) or (None, [])
        if message is None:
            return
        self.lock_path, owners = message
        self.owners = fds[:owners]
        for fd in self.owners:
            self.poll.register(fd, select.POLLIN)
        while True:
            for fd, event in self.poll.poll(self._patience()):
                self._turn_to(fd, event)
            if self.is_to_close:
                self._close()
            self._reap()
            for program in [each for each in self.programs.values() if each.ending]:
                self._press(program)
            if self.ending and self._press_all(self.ending):
                return

    def _note(self, *_: object) -> None:
        """A signal says to end everything, in the middle of anything: the loop does it."""
        self.is_to_close = True

    def _close(self) -> None:
        """Begin to end everything."""
        if self.ending is None:
            self.ending = Ending(*self._endings())
            self.poll.unregister(self.requests.fileno())

    def _patience(self) -> int | None:
        endings = self._endings() + ([self.ending] if self.ending else [])
        if not endings:
            return None
        return _SLOW_TICK_MS if all(each.is_late for each in endings) else _TICK_MS

    def _endings(self) -> list[Ending]:
        """Those of single programs."""
        return [each.ending for each in self.programs.values() if each.ending]

    def _turn_to(self, fd: int, event: int) -> None:
        if fd == self.woken:
            os.read(fd, 1 << 10)
        elif fd in self.owners:
            self.poll.unregister(fd)
            self.output.discard_all()
            self._close()
        elif fd in self.output:
            self.output.turn_to(fd, event)
        elif fd in self.channels:
            self._end(fd, is_left=bool(event & select.POLLHUP))
        elif fd == self.requests.fileno() and self.ending is None:
            message = received(self.requests)
            if message is not None:
                self._launch(*message)
                return
            if not self.owners:  # nothing else will say that nobody reads
                self.output.discard_all()
            self._close()

    def _end(self, fd: int, *, is_left: bool) -> None:
        """Begin to end the program of this channel; who asked for it may have left already."""
        program = self.channels[fd]
        if self.ending is None:
            program.ending = program.ending or Ending()
        if not is_left:
            self.poll.modify(fd, 0)
            return
        self.poll.unregister(fd)
        del self.channels[fd]
        self.output.discard(program)

    def _launch(self, request: Any, fds: list[int]) -> None:
        path, argv, environment, folder, mark = request
        if len(fds) < 4:  # no more descriptors may be open here
            for fd in fds[1:]:
                os.close(fd)
            if fds:
                answer(_socket.socket(fileno=fds[0]), ("failed", errno.EMFILE, path))
            return
        channel = _socket.socket(fileno=fds[0])
        at = folder
        try:
            os.chdir(folder)
            at = path
            pid = _spawned(path, argv, environment, fds[1:4])
        except OSError as error:
            for fd in fds[4:]:
                os.close(fd)
            answer(channel, ("failed", error.errno, at))
            return
        finally:
            for fd in fds[1:4]:
                os.close(fd)
            os.chdir("/")
        program = _Program(pid, mark, channel)
        self.output.hold(fds[4:], program)
        self.programs[pid] = self.channels[channel.fileno()] = program
        self.poll.register(channel.fileno(), select.POLLIN)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.has_children = False
                return
            if pid == 0:
                self.has_children = True
                return
            program = self.programs.get(pid)
            if program is not None:
                program.status = os.waitstatus_to_exitcode(status)
                if program.ending is None:
                    self._let_go(program)

    def _let_go(self, program: _Program) -> None:
        """The program is over: say so."""
        del self.programs[program.pid]
        fd = program.channel.fileno()
        if fd in self.channels:
            self.poll.unregister(fd)
            del self.channels[fd]
        answer(program.channel, ("ended", program.status))
        if not self.is_subreaper and _is_group(program.pid):
            self.left.add(program.pid)

    def _press(self, program: _Program) -> None:
        """Go on with the end of one program and of what it started."""
        if program.ending is None:
            return
        if not self.is_subreaper:
            program.ending.press_group(program.pid)
            is_over = program.status is not None and not _is_group(program.pid)
        else:
            there = processes()
            is_gone = program.ending.press(self._members(program, there))
            is_over = program.status is not None and is_gone
        if is_over:
            self._let_go(program)

    def _members(self, program: _Program, there: dict[int, Process]) -> dict[int, int]:
        """Who of our tree is of this program: by descent, its session or group, or its mark."""
        ours = below({os.getpid()}, there) - {os.getpid()}
        roots = {
            pid
            for pid in ours
            if program.pid in (pid, *there[pid][1:3]) or has_mark(pid, program.mark)
        }
        return living(below(roots, there) & ours, there)

    def _press_all(self, ending: Ending) -> bool:
        """Go on with the end of everything; is it over?"""
        if not self.is_subreaper:
            groups = {pid for pid in (*self.programs, *self.left) if _is_group(pid)}
            for group in groups:
                ending.press_group(group)
            return not groups and not self.has_children
        if self.has_children:
            there = processes()
            ours = below({os.getpid()}, there) - {os.getpid()}
            ending.press(living(ours, there))
        return not self.has_children


def _spawned(
    path: str, argv: list[str], environment: dict[bytes, bytes], streams: list[int]
) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(streams)]
    options: dict[str, Any] = {
        "file_actions": actions,
        "setsigmask": (),
        "setsigdef": (_signal.SIGPIPE, _signal.SIGXFSZ),  # which Python ignores
    }
    try:
        return os.posix_spawn(path, argv, environment, setsid=True, **options)
    except NotImplementedError:  # of an old C library
        return os.posix_spawn(path, argv, environment, setpgroup=0, **options)


def _is_group(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except OSError:
        return False
    return True


def _noted(*_: object) -> None:
    """A child has ended, as the wake-up says."""


def supervise() -> None:
    """Supervise; durably, whose child this is not to be, sees its first process end at once."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.closerange(3, 1 << 16)
    os.set_inheritable(0, False)
    supervisor = _Supervisor(_socket.socket(fileno=0))
    is_over = False
    try:
        supervisor.run()
        is_over = True
    finally:  # after a fault of its own the file says that there may be programs left
        if supervisor.lock_path and is_over:
            try:
                os.unlink(supervisor.lock_path)
                os.rmdir(os.path.dirname(supervisor.lock_path))
            except OSError:  # there is output in it, or another supervisor
                pass
        os._exit(0)
