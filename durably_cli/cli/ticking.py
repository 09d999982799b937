"""Taking up the runs that `engines.local.lookout` finds, each in a process of its own.

That is a `durably resume` as a person would type it, so all that makes runs safe is there: its lock
decides who has the run, and whatever becomes of the process that looks, it goes on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.cli.spool import spool
from durably_cli.engines.local.lookout import Lookout, ToTakeUp
from durably_cli.engines.local.stamps import Stamp
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.tick_room import Room
from durably_cli.engines.local.ticked import note_tick
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.errors import Busy
from durably_cli.project.script_files import is_script
from durably_cli.render.reason import given_up
from durably_cli.render.ticks import taken_up
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.system.locks import Lock

if TYPE_CHECKING:
    from durably_cli.render.run_types import RunTakenUp

_PAUSE_SECONDS = 0.5
"""How long to look away between two looks."""

_SHARE = 10
"""A look takes a tenth of the time at the most."""

_NOTED_SECONDS = 60.0
"""How often to note that somebody looks after the store."""

_AT_ONCE_SECONDS = 0.05
"""How often to see whether an attempt is over."""

_TRIES_AGAIN = timedelta(minutes=1)
"""What could not begin is tried again then, as by the next tick of a crontab."""

_WELL = (0, 3, Busy.exit_code)
"""What an attempt ends with that has not failed: completed, cancelled, waits."""

_MOST = 124
"""What ends with a higher code was ended by a signal, and is taken up again."""


class Came(NamedTuple):
    """What came of a run that was taken up; `report` is for who is to mend it, if it has failed, or
    to answer what it asks.

    `unsaid` is why it does not go on, if its own process could not say so.
    """

    run: RunTakenUp
    has_failed: bool
    report: bytes
    unsaid: str


class _Taken(NamedTuple):
    found: ToTakeUp
    process: subprocess.Popen[bytes]
    said: BinaryIO


class Ticker:
    """Takes up runs of a store, so many at once, with those that other tickers have taken up.

    `begins` is called with each, `came` with what came of it, and `meanwhile` with each look.
    """

    def __init__(
        self,
        store: Store,
        project: Path,
        lookout: Lookout,
        most: int,
        begins: Callable[[ToTakeUp], object],
        came: Callable[[Came], object],
        meanwhile: Callable[[], object],
    ) -> None:
        self._store, self._project = store, project
        self._lookout, self._room = lookout, Room(store.root, most)
        self._begins, self._came, self._meanwhile = begins, came, meanwhile
        self._taken: list[_Taken] = []
        self._in_vain: dict[str, tuple[tuple[Stamp, Stamp], datetime]] = {}
        """Runs that were as they had been once their process had ended, and when that was."""
        self._next_look = 0.0
        self._next_note = time.monotonic() + _NOTED_SECONDS

    def run(self, found: list[ToTakeUp], seconds: float) -> None:
        """Take up what was found, and what comes within so many seconds."""
        deadline = time.monotonic() + seconds
        queue = deque(found)
        self._look_away(0.0)
        try:
            while True:
                self._let_go()
                self._take_up(queue)
                now = time.monotonic()
                if now >= deadline and not self._taken:  # others have all places, if more is left
                    return
                if not queue and self._next_look <= now < deadline:
                    queue.extend(self._look())
                elif self._taken or queue:
                    time.sleep(_AT_ONCE_SECONDS)
                else:
                    time.sleep(max(0.0, min(self._next_look, deadline) - now))
        finally:
            self._lookout.remember()

    def going_on(self) -> list[str]:
        """The runs that were taken up and whose process has not ended."""
        return [each.found.run_id for each in self._taken if each.process.poll() is None]

    def _look(self) -> list[ToTakeUp]:
        self._meanwhile()
        begun = time.monotonic()
        if begun >= self._next_note:
            note_tick(self._store)
            self._next_note = begun + _NOTED_SECONDS
        here = {taken.found.run_id for taken in self._taken}
        found = [
            each
            for each in self._lookout.look()
            if each.run_id not in here and not self._was_in_vain(each)
        ]
        self._lookout.end_left_over()
        self._look_away(time.monotonic() - begun)
        return found

    def _was_in_vain(self, found: ToTakeUp) -> bool:
        stamps, at = self._in_vain.get(found.run_id, (None, clock.utc_now()))
        return stamps == found.stamps and abs(clock.utc_now() - at) < _TRIES_AGAIN

    def _look_away(self, took: float) -> None:
        """Until the next run is due, or something may have come."""
        pause = max(_PAUSE_SECONDS, _SHARE * took)
        if self._lookout.next_due:
            due = clock.parse_time(self._lookout.next_due) - clock.utc_now()
            pause = min(pause, max(_AT_ONCE_SECONDS, due.total_seconds()))
        self._next_look = time.monotonic() + pause

    def _take_up(self, queue: deque[ToTakeUp]) -> None:
        while queue and (place := self._room.take_place()):
            with closing(place):  # here; the process has it from now on
                found = queue.popleft()
                if not self._lookout.has_changed(found):
                    self._begins(found)
                    self._taken.append(self._began(found, place))

    def _began(self, found: ToTakeUp, place: Lock) -> _Taken:
        said = spool(self._store)
        process = subprocess.Popen(
            (
                *(sys.executable, "-P", "-m", "durably_cli", "-C", self._project),
                *("resume", found.run_id, "--suspend", "-q"),
                *("--only-as-attempt", str(found.attempts + 1), "--tick-place", str(place.fd)),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=(place.fd,),
        )
        return _Taken(found, process, said)

    def _let_go(self) -> None:
        """Of those that have ended."""
        for taken in [each for each in self._taken if each.process.poll() is not None]:
            self._taken.remove(taken)
            with taken.said:
                came = self._came_of(taken)
            if came is not None:
                self._came(came)

    def _came_of(self, taken: _Taken) -> Came | None:
        """None if another process has come first."""
        found, code = taken.found, taken.process.returncode
        code = code if code >= 0 else 128 - code
        is_as_it_was = not self._lookout.has_changed(found)
        if is_as_it_was:
            self._in_vain[found.run_id] = found.stamps, clock.utc_now()
        taken.said.seek(0)
        report = taken.said.read()
        run = self._store.look(found.run_id)
        try:
            said = None
            if not self._has_attempted(taken, run):
                if code == Busy.exit_code and not is_as_it_was:
                    return None
                said = _why_not(report, found)
            left = given_up(run) if isinstance(run, RunView) else ""
            if left:
                what = f"durably: run {short(found.run_id)} of {found.job} was {left}\n"
                report += f"{what}try: {hints.command('resume', short(found.run_id))}\n".encode()
            has_failed = bool(left) or (code not in _WELL and code <= _MOST)
            if not has_failed and code != Busy.exit_code:  # a question is said, with 75
                report = b""
            return Came(taken_up(found, run, code, said), has_failed, report, said or left)
        finally:
            if isinstance(run, RunView):
                run.close()

    def _has_attempted(self, taken: _Taken, run: RunView | Unreadable | None) -> bool:
        """Has this process made an attempt of its own? A script may run in one that it began."""
        attempts = run.state.attempts[taken.found.attempts :] if isinstance(run, RunView) else []
        pid = None if is_script(self._project) else taken.process.pid
        return any(pid in (None, attempt.started.pid) for attempt in attempts)


def _why_not(report: bytes, found: ToTakeUp) -> str | None:
    """What a process said that made no attempt; one that tries later says nothing."""
    first = report.decode("utf-8", "replace").partition("\n")[0].removeprefix("durably: ")
    return first or f"it cannot go on yet: {hints.command('resume', short(found.run_id))}"
