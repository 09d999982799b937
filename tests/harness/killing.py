"""Kill or stop a command at every call that changes the disk: before the first, the second, ...

The calls are counted inside the real process, which sends itself the signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from tests.conftest import Project, Started

CALLS = (
    *("write", "fdatasync", "fsync", "ftruncate", "link", "rename", "unlink", "rmdir", "mkdir"),
    *("chmod", "fchmod", "open"),
)

_PROGRAM = f"""
import os, signal, sys
number, limit, calls = int(sys.argv.pop(1)), int(sys.argv.pop(1)), 0
def counted(real):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), number)
        return real(*args, **options)
    return call
for name in {CALLS}:
    setattr(os, name, counted(getattr(os, name)))
sys.argv[0] = "durably"
from durably_cli.__main__ import main
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
        with _start(project, signal.SIGKILL, number, words) as process:
            _, err = process.communicate(timeout=60)
        check(number)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, err
            return number - 1


def stopped_everywhere(
    project: Project,
    args: Callable[[], tuple[str, ...]],
    meanwhile: Callable[[], None],
    check: Callable[[int], None],
) -> int:
    """Run the command once for every such call, stopped there while something else happens.

    Then it goes on to its end, however that is, and `check` looks. How many stops there were.
    """
    number = 0
    while True:
        number += 1
        with _start(project, signal.SIGSTOP, number, args()) as process:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                process.returncode = os.waitstatus_to_exitcode(status)
                return number - 1
            try:
                meanwhile()
            finally:
                os.kill(process.pid, signal.SIGCONT)
            process.communicate(timeout=60)
        check(number)


def _start(project: Project, signal_number: int, call: int, words: tuple[str, ...]) -> Started:
    return Started(
        [sys.executable, "-c", _PROGRAM, str(int(signal_number)), str(call), *words],
        cwd=project.root,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
