"""Kill or stop a command at every call that changes the disk: before the first, the second, ...

The calls are counted inside the real process, which sends itself the signal. With `every` it is
one of so many calls.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.conftest import Project
from tests.harness.quick import drawn


def killed_everywhere(
    project: Project,
    args: Callable[[], tuple[str, ...]],
    check: Callable[[int], None],
    every: int = 1,
    code: int = 0,
) -> int:
    """Run the command once for every such call, killed there, and check after each.

    `args` makes what the command is to work on, and gives its arguments; undisturbed it ends with
    `code`. The number of the last call at which it was killed.
    """
    last = 0
    for number in drawn(every):
        result = project.start(*args(), signal_at=(signal.SIGKILL, number)).result()
        check(number)
        if result.code != -signal.SIGKILL:
            assert result.code == code, result
            break
        last = number
    return last


def stopped_everywhere(
    project: Project,
    args: Callable[[], tuple[str, ...]],
    meanwhile: Callable[[], None],
    check: Callable[[int], None],
    every: int = 1,
) -> int:
    """Run the command once for every such call, stopped there while something else happens.

    Then it goes on to its end, however that is, and `check` looks. The number of the last call at
    which it was stopped.
    """
    last = 0
    for number in drawn(every):
        with project.start(*args(), signal_at=(signal.SIGSTOP, number)) as process:
            if not process.has_stopped():
                process.result()
                break
            meanwhile()
            process.send_signal(signal.SIGCONT)
            process.result()
        check(number)
        last = number
    return last
