"""`trigger --detach`: the same command line again, as a process of a session of its own.

It is not forked: what the import of a job has started here would be missing there. The process that
was called waits until the run is there, so that all that can be wrong before is its own error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.asking import say
from durably_cli.cli.spool import spool
from durably_cli.engines.local.store import Store
from durably_cli.errors import Interrupted
from durably_cli.project import stores
from durably_cli.render.next_steps import next_commands
from durably_cli.render.rows import write_summary_json
from durably_cli.system import signals
from durably_cli.system.ids import short

_VARIABLE = "DURABLY_DETACHED"
"""Has the number of the descriptor on which the detached process says which run there is."""

_ID = 36


class Ended(NamedTuple):
    """The detached process has ended already: how, and what it printed."""

    code: int
    out: bytes
    err: bytes


def reporter() -> Callable[[str], None] | None:
    """In the detached process: what says, once, that the run of this id is there; else None."""
    number = os.environ.pop(_VARIABLE, "")
    if not number.isdecimal():
        return None
    left = [int(number)]
    os.set_inheritable(left[0], False)

    def report(run_id: str) -> None:
        if left:
            fd = left.pop()
            with suppress(OSError):  # the process that was called is gone
                os.write(fd, run_id.encode("ascii"))
                os.close(fd)

    return report


def detach(store: Store, stdin: bytes | None, seconds: float | None) -> str | Ended:
    """The id of the run that is executed by a detached process, once it is there.

    How that process ended, if it made no run, or ended within so many seconds.
    """
    reading, writing = os.pipe()
    with open(reading, "rb", 0) as said, spool(store) as out, spool(store) as err:
        with spool(store) as given:
            given.write(stdin or b"")
            given.seek(0)
            child = subprocess.Popen(
                (sys.executable, "-P", "-m", "durably_cli", *sys.argv[1:]),
                stdin=given,
                stdout=out,
                stderr=err,
                env={**os.environ, _VARIABLE: str(writing)},
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        signals.install()
        try:
            run_id = said.read(_ID).decode("ascii")
            if run_id and seconds is None:
                return run_id
            with suppress(subprocess.TimeoutExpired):
                child.wait(seconds if run_id else None)
        except Interrupted as stopped:
            child.send_signal(stopped.signum)
            child.wait()
        finally:
            signals.uninstall()
        if child.returncode is None:
            return run_id
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        return Ended(code, _all_of(out), _all_of(err))


def trigger_detached(
    project: Path, stdin: bytes | None, seconds: float | None, *, quiet: bool, as_json: bool
) -> int:
    """`durably trigger --detach`; the exit code."""
    store = stores.open_store(project, to_write=True)
    found = detach(store, stdin, seconds)
    if isinstance(found, Ended):
        with suppress(BrokenPipeError):
            for stream, data in ((sys.stderr, found.err), (sys.stdout, found.out)):
                stream.flush()
                stream.buffer.write(data)
                stream.flush()
        return found.code
    if as_json:
        with store.view(found) as view:
            document.suggest(*next_commands(view))
            write_summary_json(view, document.on(sys.stdout), {"detached": True})
    elif not quiet:
        print(found, flush=True)
        say(f"run {short(found)} goes on in the background")
        say(f"to wait for its end: {hints.command('wait', short(found))}")
    return 0


def _all_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
