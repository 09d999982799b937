"""Messages between durably and the supervisor of its programs: values, and open files with them.

Both ends are the same Python, so `marshal` will do, which takes no time to load.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys

TYPE_CHECKING = False  # not that of typing, which takes 5 ms to load
if TYPE_CHECKING:
    from typing import Any

_HEAD = 4
"""How many bytes say how long a message is."""

_FD = 4
_MOST_FDS = 6

_CLOSED_IN_CHILDREN = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
"""Has Linux give descriptors that no program inherits."""


_ROOM = _socket.CMSG_SPACE(_FD * _MOST_FDS)


def send(to: _socket.socket, message: Any, fds: list[int]) -> None:
    """Send a value, with copies of these descriptors. BrokenPipeError if nobody is there."""
    body = marshal.dumps(message)
    data = memoryview(len(body).to_bytes(_HEAD, "big") + body)
    numbers = b"".join(fd.to_bytes(_FD, sys.byteorder) for fd in fds)
    sent = to.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)] if fds else [])
    while sent < len(data):
        sent += to.send(data[sent:])


def received(of: _socket.socket) -> tuple[Any, list[int]] | None:
    """The next message, and the descriptors that came with it; None at the end."""
    try:
        head, ancillary, *_ = of.recvmsg(_HEAD, _ROOM, _CLOSED_IN_CHILDREN)
        fds = [
            int.from_bytes(data[start : start + _FD], sys.byteorder)
            for _, _, data in ancillary
            for start in range(0, len(data), _FD)
        ]
        if not _CLOSED_IN_CHILDREN:
            for fd in fds:
                os.set_inheritable(fd, False)
        size, body = int.from_bytes(head, "big"), b""
        while head and len(body) < size and (piece := of.recv(size - len(body))):
            body += piece
    except OSError:
        return None
    return (marshal.loads(body), fds) if head and len(body) == size else None


def answer(channel: _socket.socket, message: Any) -> None:
    """Send the last message of a channel, which need not be heard."""
    try:
        channel.setblocking(False)
        send(channel, message, [])
    except OSError:  # nobody waits for it
        pass
    channel.close()
