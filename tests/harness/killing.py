"""Kill or stop a command at every call that changes the disk: before the first, the second, ...

The calls are counted inside the real process, which sends itself the signal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.conftest import Project


def killed_everywhere(
    project: Project, args: Callable[[], tuple[str, ...]], check: Callable[[int], None]
) -> int:
    """Run the command once for every such call, killed there, and check after each.

    `args` makes what the command is to work on, and gives its arguments. How many kills there were.
    """
    number = 0
    while True:
        number += 1
        result = project.start(*args(), signal_at=(signal.SIGKILL, number)).result()
        check(number)
        if result.code != -signal.SIGKILL:
            assert result.code == 0, result
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
        with project.start(*args(), signal_at=(signal.SIGSTOP, number)) as process:
            if not process.has_stopped():
                process.result()
                return number - 1
            meanwhile()
            process.send_signal(signal.SIGCONT)
            process.result()
        check(number)
