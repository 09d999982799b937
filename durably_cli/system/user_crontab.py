"""The user's crontab, through the `crontab` program: its lines are bytes, and stay as they are."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from durably_cli.errors import ConfigError, Forbidden, JournalError

_NONE = re.compile(b"no crontab for|can't open .*: No such file")
"""What `crontab -l` says, with an exit code of 1, if there is none: cron's, and BusyBox's."""


def read_crontab() -> bytes:
    """All of it; empty if there is none. ConfigError where there is no cron, or none for us."""
    done = _called("-l")
    if done.returncode and not _NONE.search(done.stderr):
        raise _refusal("-l", done)
    return b"" if done.returncode else done.stdout


def replace_line(mark: bytes, line: bytes | None) -> None:
    """Do what `with_line` says to the crontab as it is by now, and look that it is done."""
    with _only_one():
        content = with_line(read_crontab(), mark, line)
        done = _called("-", given=content)
        if done.returncode:
            raise _refusal("-", done)
        if read_crontab() != content:
            raise JournalError("crontab did not take over what it was given; look with: crontab -l")


@contextmanager
def _only_one() -> Iterator[None]:
    """Inside, no other durably of this user changes the crontab.

    The lock is on the home folder, which takes no file, and is the same whatever variables say.
    """
    try:
        home = os.open(pwd.getpwuid(os.getuid()).pw_dir, os.O_RDONLY | os.O_CLOEXEC)
    except (KeyError, OSError):  # there is none, or it cannot be read
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(home, fcntl.LOCK_EX)
        yield
    finally:
        os.close(home)


def _called(argument: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(("crontab", argument), input=given, capture_output=True)
    except FileNotFoundError:
        raise ConfigError(
            "there is no program crontab on PATH",
            hint="install cron, or have systemd do it: --systemd",
        ) from None
    except PermissionError as error:
        raise Forbidden(f"the program crontab cannot be called: {error.strerror}") from None


def _refusal(argument: str, done: subprocess.CompletedProcess[bytes]) -> ConfigError:
    said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
    return ConfigError(f"crontab {argument}: {said}")


def with_line(content: bytes, mark: bytes, line: bytes | None) -> bytes:
    """The crontab with this line for the one that ends with the mark; None takes it out.

    All other lines stay as they are, byte for byte. A new one is put at the end.
    """
    found = list[bytes]()
    for each in re.findall(rb"[^\n]*\n|[^\n]+", content):
        if not each.rstrip().endswith(mark):
            found.append(each)
        elif line is not None:
            found.append(line + b"\n")
            line = None
    if line is not None:
        if found and not found[-1].endswith(b"\n"):
            found[-1] += b"\n"
        found.append(line + b"\n")
    return b"".join(found)
