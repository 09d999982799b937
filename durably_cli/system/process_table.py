"""The processes of this machine as Linux shows them: who comes from whom, and with which mark.

For the supervisor as well, which loads few modules.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` takes 5 ms to load
import os

MARK = "DURABLY_PROGRAM"
"""The variable by which a program knows its run, and is known: `<run id>/<number>`.

In a fork of the process that executes the run it is `<run id>/<pid of the fork>/<number>`.
"""

Process = tuple[int, int, int, str]
"""Its parent, process group, session and state."""


SUPERVISOR_OF = "supervisor of "
"""How the last word of a supervisor's command line begins; the mark of its programs follows."""


class Owner:
    """A process that executes runs."""

    def __init__(self, pid: int, begun: bytes) -> None:
        self.pid, self._begun = pid, begun

    @classmethod
    def this(cls) -> Owner:
        """This process."""
        return cls(os.getpid(), begun(os.getpid()))

    def pidfd(self) -> int:
        """A descriptor that says when it ends; -1 where the system has none.

        Before Linux 5.3 there is none, and some sandboxes forbid it. ProcessLookupError if it has
        ended, and perhaps another process has its id.
        """
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            raise
        except (AttributeError, OSError):
            return -1
        if begun(self.pid) != self._begun:
            os.close(fd)
            try:  # it says so if no more files may be open
                open(f"/proc/{self.pid}/stat", "rb").close()
            except FileNotFoundError:
                pass
            raise ProcessLookupError
        return fd


def processes() -> dict[int, Process]:
    """All processes that there are, as Linux shows them; none elsewhere."""
    found: dict[int, Process] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        if name.isdecimal() and (data := contents_of(f"/proc/{name}/stat")):
            fields = data.rpartition(b")")[2].split(None, 18)
            state, parent, group, session = fields[:4]
            if state == b"Z" and int(fields[17]) > 1:  # its first thread has ended, others live
                state = b"S"
            found[int(name)] = int(parent), int(group), int(session), state.decode()
    return found


def contents_of(path: str) -> bytes:
    """All of a small file; nothing if it is gone, or not ours to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = b""
        while piece := os.read(fd, 1 << 16):
            data += piece
        return data
    except OSError:
        return b""
    finally:
        os.close(fd)


def begun(pid: int) -> bytes:
    """When a process began, as Linux counts: with its id it is this one, and never another."""
    fields = contents_of(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 20)
    return fields[19] if len(fields) > 19 else b""


def below(roots: set[int], there: dict[int, Process]) -> set[int]:
    """These processes and all that come from them."""
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in there.items():
        children.setdefault(parent, []).append(pid)
    found, pending = set[int](), list(roots)
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending += children.get(pid, ())
    return found


def living(pids: set[int], there: dict[int, Process]) -> dict[int, int]:
    """Those of them that are more than what their parents have not looked at yet; their parents."""
    return {pid: there[pid][0] for pid in sorted(pids) if there[pid][3] not in "ZX"}


def has_mark(pid: int, mark: str, *, is_whole: bool = True) -> bool:
    """Was the process started with this mark, or with one that begins so?"""
    variable = f"\0{MARK}={mark}".encode()
    return variable + b"\0" * is_whole in b"\0" + contents_of(f"/proc/{pid}/environ")


def send_signal(pid: int, signum: int) -> None:
    """Send a signal to a process that may have ended, or be somebody else's."""
    try:
        os.kill(pid, signum)
    except OSError:
        pass


def send_end(pid: int, *, at_once: bool) -> None:
    """Ask a process to end, also one that is stopped; or end it."""
    if at_once:
        send_signal(pid, _signal.SIGKILL)
    else:
        send_signal(pid, _signal.SIGTERM)
        send_signal(pid, _signal.SIGCONT)
