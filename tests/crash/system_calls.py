"""strace, to count the system calls of a command and to put a fault into one of them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.crash.ledger import Ledger

WRITE_PATH = (
    *("write", "fdatasync", "fsync", "ftruncate", "fchmod", "chmod", "mkdir", "mkdirat"),
    *("link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    *("openat", "fcntl"),
)
"""What changes the disk. Of openat and fcntl only what makes a file or takes a lock."""

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_OPTIONS = ("-f", "-qq", "--seccomp-bpf", "-s", "4096", "-e", "signal=none")


class Call(NamedTuple):
    """The `number`-th call of this name that a process makes, and its arguments."""

    name: str
    number: int
    arguments: str


def traced(ledger: Ledger, args: tuple[str, ...], calls: tuple[str, ...]) -> list[Call]:
    """The calls that the command makes, of those asked for, in order."""
    log = ledger.project.root.parent / "trace"
    under = ("strace", *_OPTIONS, "-y", "-o", str(log), "-e", f"trace={','.join(calls)}")
    result = ledger.attempt(*args, under=under)
    ledger.check_ended_in_order(result)
    lines = log.read_text(errors="replace").splitlines()
    found, counts = [], Counter[str]()
    main = lines[0].split()[0]
    for line in lines:
        match = _CALL.match(line)
        if match and match[1] == main:
            counts[match[2]] += 1
            found.append(Call(match[2], counts[match[2]], match[3]))
    return found


def changes_disk(call: Call) -> bool:
    """Is it of the write path, and not one of the many that only read?"""
    if call.name == "openat":
        return "O_CREAT" in call.arguments or "O_TMPFILE" in call.arguments
    return call.name != "fcntl" or "F_OFD_SETLK" in call.arguments


def fault(call: Call, what: str) -> tuple[str, ...]:
    """Under which program a command meets `error=EIO` or `signal=SIGKILL` at this call."""
    inject = f"inject={call.name}:{what}:when={call.number}"
    return ("strace", *_OPTIONS, "-o", "/dev/null", "-e", f"trace={call.name}", "-e", inject)


def journal_of(ledger: Ledger) -> Path:
    """The only journal there is."""
    (journal,) = ledger.project.data.glob("*/runs/*/*.jsonl")
    return journal
