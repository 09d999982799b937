"""A process that has loaded durably, and no job: each process of a trial is a fork of it.

It reads a line of JSON for each, its words, environment, streams, and how many seconds it may take,
and answers with its exit code, as a line, or `null` if it took longer. At the end of stdin it ends,
and ends what it has forked: whoever asked for that is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.02


def serve() -> dict[str, Any] | None:
    """Fork for each line; what it says, in the child, and None once there is no more of them."""
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            return asked
        print(json.dumps(_code_of(child, asked["seconds"])), flush=True)
    return None


def _code_of(child: int, seconds: float) -> int | None:
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    is_abandoned: Sequence[object] = ()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if is_abandoned or time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        is_abandoned = select.select((sys.stdin,), (), (), pause)[0]  # no line comes meanwhile
        pause = min(2 * pause, _LONGEST_PAUSE)


def become(asked: dict[str, Any]) -> None:
    """Be `durably` with these words, and leave."""
    os.environ.update(asked["env"])
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (asked["out"], writing), (asked["said"], writing))
    ):
        fd = os.open(path, flags, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    sys.argv[1:] = asked["words"]

    from durably_cli import cli

    cli.run_command_line()


def load_durably() -> None:
    """Import what trigger and resume take, but for jobs."""
    import pydantic

    from durably_cli import cli  # noqa: F401
    from durably_cli.cli import coming_to_runs  # noqa: F401
    from durably_cli.cli.commands import resume, trigger  # noqa: F401
    from durably_cli.cli.crash_test import inside  # noqa: F401
    from durably_cli.project import defining, discovery  # noqa: F401

    pydantic.TypeAdapter(dict)


if __name__ == "__main__":
    load_durably()
    found = serve()
    if found is not None:
        become(found)
