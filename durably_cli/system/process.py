"""This process: which one it is, and the threads that a job has left running in it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

from durably_cli.errors import RunEnded


class _This:
    """Which process this is, known without asking the kernel: only a fork changes it.

    `is_stopped` says that its run was stopped: it waits for no thread that the job left running.
    """

    pid = os.getpid()
    is_stopped = False


this = _This()


def _look_again() -> None:
    this.pid = os.getpid()


os.register_at_fork(after_in_child=_look_again)


def threads_to_wait_for() -> int:
    """How many threads a job has left running that durably must wait for before it can end."""
    return sum(
        not each.daemon for each in threading.enumerate() if each is not threading.main_thread()
    )


def leave(code: int) -> NoReturn:
    """End this process; if its run was stopped, also the threads that the job has left running.

    What is registered to be done at the end is done all the same.
    """
    if this.is_stopped and (threads_to_wait_for() or _children()):
        _end_children()  # which atexit would wait for, a ProcessPoolExecutor's for ever
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _children() -> list[Any]:
    """The processes that a job has left running by `multiprocessing`."""
    found: list[Any] = getattr(sys.modules.get("multiprocessing"), "active_children", list)()
    return found


def _end_children() -> None:
    children = _children()
    for each in children:
        each.terminate()
    for each in children:
        each.join(_CHILD_SECONDS / len(children))
        each.kill()


_CHILD_SECONDS = 0.3


def end_late_threads_in_a_line(*, quiet: bool) -> None:
    """From now on a thread that ends by RunEnded says so in one line, and only the first one.

    Python would print the traceback of each. Nothing is said if it is to be `quiet`.
    """
    usual, said = threading.excepthook, quiet

    def hook(args: threading.ExceptHookArgs) -> None:
        nonlocal said
        if not issubclass(args.exc_type, RunEnded):
            usual(args)
        elif not said:
            said = True
            # Past Python's buffer: a daemon thread that holds its lock at the end is a fatal error.
            with suppress(OSError):
                os.write(2, f"durably: {args.exc_value}\n".encode())

    threading.excepthook = hook
