"""Programs of a run that live on although durably is gone: a run goes on only without them.

The supervisor of programs ends them, which takes it 5 seconds at most. One that was killed as well
leaves its file in the run's folder, and perhaps programs; those are known by their mark.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from durably_cli import hints
from durably_cli.errors import Busy, DurablyError
from durably_cli.journal.outputs import folder_of
from durably_cli.system import files, ids, locks
from durably_cli.system.leftovers import (
    Leftover,
    end_processes_with,
    processes_with,
    supervised,
    supervisors,
)
from durably_cli.system.programs import LOCK

_PATIENCE_SECONDS = 6.0
"""How long a supervisor that ends programs is waited for."""

_AT_ONCE_SECONDS = 0.3
"""How long before that is said."""

_SHOWN, _LONGEST = 5, 60


def refuse_leftovers(
    journal: Path,
    *,
    end: bool,
    command: str = "resume",
    waits: Callable[[str], object] = lambda run_id: None,
) -> None:
    """Return once no program of the run lives any more. Busy if one does, unless it is to `end`.

    The hint names the `command` that is to be typed again; `waits` is called with the run's id
    before some seconds are waited.
    """
    folder = folder_of(journal)
    found = [folder / name for name in files.names(folder) if name.startswith(LOCK)]
    if not found:  # as nearly always
        return
    are_ended = all(_is_free(path, waits) for path in found)
    mark = f"{journal.stem}/"
    left = end_processes_with(mark, is_whole=False) if end else processes_with(mark, is_whole=False)
    if left:
        raise _still_live(journal.stem, left, were_to_end=end)
    if not are_ended and (left := supervised(journal.stem)):  # whose variables we may not see
        raise _still_live(journal.stem, left, were_to_end=True)
    if not are_ended:
        by = ", ".join(str(each.pid) for each in supervisors(journal.stem))
        raise Busy(
            f"the programs of run {ids.short(journal.stem)} are still being ended"
            + (f" by process {by}" if by else ""),
            hint=f"{hints.command(command, ids.short(journal.stem))}    (in a few seconds)",
        )
    for path in found:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # there is output in it
        os.rmdir(folder)


def wait_for_programs(journal: Path, waits: Callable[[str], object]) -> None:
    """Wait, for some seconds, until a run that is over has no programs that are being ended.

    `waits` is called with the run's id first.
    """
    folder = folder_of(journal)
    for name in files.names(folder):
        if name.startswith(LOCK):
            _is_free(folder / name, waits)


def _is_free(path: Path, waits: Callable[[str], object]) -> bool:
    """Has the supervisor that holds this file ended, or does it so within some seconds?"""
    for seconds in (_AT_ONCE_SECONDS, _PATIENCE_SECONDS):
        try:
            lock = locks.acquire(files.open_existing(path, os.O_RDWR), seconds=seconds)
        except (FileNotFoundError, DurablyError):
            return True
        if lock is not None:
            lock.close()
            return True
        if seconds == _AT_ONCE_SECONDS:
            waits(path.parent.stem)
    return False


def _still_live(run_id: str, left: list[Leftover], *, were_to_end: bool) -> Busy:
    run = ids.short(run_id)
    shown = [f"pid {each.pid}: {_cut(each.command)}" for each in left[:_SHOWN]]
    if len(left) > _SHOWN:
        shown.append(f"and {len(left) - _SHOWN:,} more")
    lines = "\n".join(shown)
    if were_to_end:
        pids = " ".join(str(each.pid) for each in left)
        return Busy(
            f"these programs of run {run} cannot be ended by this user:\n{lines}",
            hint=f"sudo kill -9 {pids}",
        )
    return Busy(
        f"programs of run {run} still live, and would go on beside it:\n{lines}",
        hint=f"{hints.command('resume', run, '--kill-leftovers')}    (ends them, and goes on)",
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
