"""Programs in place of `crontab` and `systemctl`, and what cron makes of a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import Project
from tests.harness.processes import Result

_CRONTAB = """#!{python}
import os, sys
path = {path!r}
if sys.argv[1:] == ["-l"]:
    if not os.path.exists(path):
        sys.exit("no crontab for ann")
    sys.stdout.buffer.write(open(path, "rb").read())
elif sys.argv[1:] == ["-"]:
    given = sys.stdin.buffer.read()
    if given and not given.endswith(b"\\n"):
        sys.exit("new crontab file is missing newline before EOF, can't install.")
    open(path, "wb").write(given)
else:
    sys.exit("usage error")
"""
"""As Debian's does it."""

_SYSTEMCTL = """#!/bin/sh
echo "$*" >> {path}
"""


class Stand:
    """A folder of programs, first on the PATH of a project, that keep what they are given."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.crontab_path, self.calls_path = folder / "crontab.txt", folder / "systemctl.txt"
        programs = folder / "programs"
        programs.mkdir()
        self._write(programs / "crontab", _CRONTAB, self.crontab_path)
        self._write(programs / "systemctl", _SYSTEMCTL, self.calls_path)
        project.env["PATH"] = f"{programs}:{project.env['PATH']}"
        project.env.pop("XDG_CONFIG_HOME", None)
        self.units = Path(project.env["HOME"]) / ".config" / "systemd" / "user"

    def _write(self, program: Path, text: str, path: Path) -> None:
        program.write_text(text.format(python=sys.executable, path=str(path)), encoding="utf-8")
        program.chmod(0o755)

    @property
    def crontab(self) -> bytes:
        """The user's crontab; empty if there is none."""
        return self.crontab_path.read_bytes() if self.crontab_path.exists() else b""

    @crontab.setter
    def crontab(self, content: bytes) -> None:
        self.crontab_path.write_bytes(content)

    @property
    def calls(self) -> list[str]:
        """What systemctl was called with."""
        return self.calls_path.read_text().splitlines() if self.calls_path.exists() else []


def command_of(line: str) -> str:
    """The command of a crontab line, once cron has made of it what its source says."""
    rest = line.split(None, 5)[5]
    found, escaped = "", False
    for character in rest:
        if escaped:
            found = found[:-1] + "%" if character == "%" else found + character
            escaped = False
        elif character == "%":
            break
        else:
            found += character
            escaped = character == "\\"
    return found


def run_by_cron(line: str, home: Path, **variables: str) -> Result:
    """What comes of a line of a crontab in the few variables that cron has."""
    bare = {"HOME": str(home), "LOGNAME": "ann", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    done = subprocess.run(
        ("/bin/sh", "-c", command_of(line)),
        env=bare | variables,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return Result(done.returncode, done.stdout, done.stderr)
