"""Kill a command at every call that changes the disk: before the first, before the second, ...

The calls are counted inside the real process, which kills itself with SIGKILL.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

from tests.conftest import Project

CALLS = (
    *("write", "fdatasync", "fsync", "ftruncate", "link", "rename", "unlink", "rmdir", "mkdir"),
    *("chmod", "fchmod", "open"),
)

_PROGRAM = f"""
import os, signal, sys
limit, calls = int(sys.argv.pop(1)), 0
def counted(real):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return call
for name in {CALLS}:
    setattr(os, name, counted(getattr(os, name)))
sys.argv[0] = "durably"
from durably_cli.cli import main
main()
"""


def killed_everywhere(
    project: Project, args: Callable[[], tuple[str, ...]], check: Callable[[int], None]
) -> int:
    """Run the command once for every such call, killed there, and check after each.

    `args` makes what the command is to work on, and gives its arguments. How many kills there were.
    """
    number = 0
    while True:
        number += 1
        words = args()
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(number), *words],
            cwd=project.root,
            env=project.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr
            check(number)
            return number - 1
        check(number)
