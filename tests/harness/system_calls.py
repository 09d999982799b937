"""strace, to list the system calls of a command and to put a fault into one of them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.harness.ledger import Ledger

WRITE_PATH = (
    *("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "fchmod", "chmod"),
    *("mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2"),
    *("unlink", "unlinkat", "rmdir", "openat", "fcntl"),
)
"""What changes the disk. Of openat and fcntl only what is of the data, makes a file, or locks."""

SYNCS = ("fdatasync", "fsync")
WRITES = ("write", "pwrite64")
NAMINGS = ("linkat", "rename")

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_FILE = re.compile(r"\d+<([^>]*)>")
_EVENT = re.compile(r'^\d+<[^>]*>(?:\(deleted\))?, "\{\\"seq\\":\d+,\\"type\\":\\"([a-z.]+)\\"')
_NAME = re.compile(r'\\"name\\":\\"([^"\\]+)\\"')
_OPTIONS = ("-f", "-qq", "-s", "4096", "-y")
_FAST = ("--seccomp-bpf",)  # never with a signal: strace then does not deliver it, and says nothing


class Call(NamedTuple):
    """The `number`-th call of this name that a process makes; its arguments and what it gave."""

    name: str
    number: int
    arguments: str

    def __str__(self) -> str:
        return f"{self.name} {self.number} ({self.arguments[:200]})"

    @property
    def file(self) -> str:
        """The path of the file that its descriptor is open on, as it was when it was opened."""
        match = _FILE.match(self.arguments)
        return match[1] if match else ""

    @property
    def gave(self) -> int:
        """What it returned; -1 for an error, or if the process did not live to see."""
        found = self.arguments.rpartition(" = ")[2].split("<")[0].split(" ")[0]
        return int(found) if found.isdecimal() else -1

    @property
    def event(self) -> str:
        """Which event it writes to a journal, with the step's name behind it; else nothing."""
        match = _EVENT.match(self.arguments) if self.name == "write" else None
        name = _NAME.search(self.arguments)
        return f"{match[1]} {name[1]}" if match and name else match[1] if match else ""


def traced(ledger: Ledger, args: tuple[str, ...]) -> tuple[list[Call], int]:
    """The calls of the write path that the command makes, in order, and its exit code."""
    log = ledger.project.root.parent / "trace"
    trace = f"trace={','.join(WRITE_PATH)}"
    result = ledger.attempt(*args, under=("strace", *_OPTIONS, *_FAST, "-o", str(log), "-e", trace))
    ledger.check_ended_in_order(result)
    return calls_in(log), result.code


def calls_in(log: Path) -> list[Call]:
    """The calls of the command's own process, as strace has written them down."""
    found, counts = [], Counter[str]()
    main = ""
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        main = main or line.split()[0]
        if match and match[1] == main:
            counts[match[2]] += 1
            found.append(Call(match[2], counts[match[2]], match[3]))
    return found


def changes_disk(call: Call, data: Path) -> bool:
    """Is it of the write path, and not one of the many that only read the program?"""
    if call.name == "openat":
        flags = ("O_CREAT", "O_TMPFILE", f'"{data}')
        return any(flag in call.arguments for flag in flags)
    return call.name != "fcntl" or "F_OFD_SETLK" in call.arguments


def fault(call: Call, what: str, log: Path) -> tuple[str, ...]:
    """Under which program a command meets `error=EIO` or `signal=SIGKILL` at this call.

    Several faults can be joined by a space: the first at this call, the others, in full, wherever.
    """
    first, *others = what.split(" ")
    traces = {call.name, *WRITES, *SYNCS, *NAMINGS, *(other.partition(":")[0] for other in others)}
    injects = [f"{call.name}:{first}:when={call.number}", *others]
    options = [option for inject in injects for option in ("-e", f"inject={inject}")]
    trace = ("-e", f"trace={','.join(sorted(traces))}")
    fast = () if "signal=" in what else _FAST
    return ("strace", *_OPTIONS, *fast, "-o", str(log), *trace, *options)


class Met:
    """What a process did before and after the call that a fault was put into."""

    def __init__(self, log: Path, call: Call, what: str) -> None:
        calls = calls_in(log)
        places = [
            place
            for place, each in enumerate(calls)
            if (each.name, each.number) == (call.name, call.number)
        ]
        assert places, f"the fault at {call} was not met: its process made no such call"
        self.call = calls[places[0]]
        self.before, self.after = calls[: places[0]], calls[places[0] + 1 :]
        self._check_was_delivered(log.read_text(errors="replace"), what)

    def _check_was_delivered(self, log: str, what: str) -> None:
        """The kernel's side of it: strace can leave a fault out without a word."""
        kind, _, value = what.split(" ")[0].partition("=")
        signs = {
            "error": f"-1 {value} ",
            "signal": f"+++ killed by {value}" if value == "SIGKILL" else f"--- {value} ",
        }
        told = self.call.arguments if kind == "error" else log
        assert signs[kind] in told, f"{what} was not delivered at {self.call}"
        assert kind != "error" or "(INJECTED)" in told, f"{what} came by itself at {self.call}"

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
        appends = [each for each in calls if each.event and self._has_name(each.file)]
        if not appends or self.call.name not in ("write", "fdatasync"):
            return None
        last = appends[-1]
        if self.call is not last and (self.call.name, self.call.file) != ("fdatasync", last.file):
            return None
        size = sum(each.gave for each in calls if each.event and each is not last)
        return last.event, size

    def _has_name(self, file: str) -> bool:
        return any(each.name in NAMINGS and f'"{file}"' in each.arguments for each in self.before)


def journal_of(ledger: Ledger) -> Path:
    """The only journal there is."""
    (journal,) = ledger.journals()
    return journal
