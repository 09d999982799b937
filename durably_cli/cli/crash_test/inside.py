"""What is different in a process of a trial: it notes what it does, never waits, and dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from durably_cli.cli.crash_test.asked import note_what_is_asked
from durably_cli.cli.crash_test.doctored_log import DoctoredLog, Killer
from durably_cli.cli.crash_test.lines import Lines
from durably_cli.cli.crash_test.notes import INSIDE, KillAt, NoteWriter, read_orders
from durably_cli.cli.crash_test.outside import Marks, note_what_is_touched
from durably_cli.cli.execution import IN_CRASH_TEST
from durably_cli.engines.recorder import Recorder
from durably_cli.errors import Busy
from durably_cli.journal.log import Log
from durably_cli.journal.registry import Event
from durably_cli.journal.writer import Journal
from durably_cli.steps.stop import NO_TIME, Stop
from durably_cli.system.folders import cache_folder, data_folder

_MOST_WAITS = 10_000
"""Who waits so often, and no time passes, waits for something that does not come."""


def join_trial() -> None:
    """Obey the orders in the environment; programs that the job starts are given none."""
    orders = read_orders(os.environ.pop(IN_CRASH_TEST))
    notes = NoteWriter(orders.notes)
    killer = Killer(orders, notes)
    _doctor_logs(lambda journal: DoctoredLog(journal, killer, notes, orders.signals))
    _let_waits_end(notes)
    note_what_is_asked(notes, orders.project)
    place = orders.kill_at

    def met(step: str, file: str, line: int, visit: int, shown: str) -> None:
        here = KillAt(INSIDE, 0, "", step, file, line, visit, shown)
        if orders.records:
            notes.write("inside", place=here)
        elif place == here:
            killer.kill(here)

    marks = Marks(orders.watched if orders.records else [])

    def look(in_flight: list[str], at: str = "") -> None:
        for path in marks.changed():
            notes.write("changed", path=path, steps=in_flight, at=at)

    if orders.records:
        killer.looks = look
        own = [str(data_folder()), str(cache_folder()), str(Path(orders.notes).parent)]
        note_what_is_touched(lambda kind, name: notes.write("touched", what=kind, name=name), own)
    if orders.records or (place is not None and place.kind == INSIDE):
        Lines(orders.project, met, lambda at: look([*killer.in_flight], at)).begin()


def _doctor_logs(doctored: Callable[[Journal], Log]) -> None:
    """Put something in front of each journal of this process."""
    make = Recorder.__init__

    def make_doctored(self: Recorder, log: Log, recorded: Callable[[Event], object]) -> None:
        make(self, doctored(log) if isinstance(log, Journal) else log, recorded)

    Recorder.__init__ = make_doctored  # type: ignore[method-assign]


def _let_waits_end(notes: NoteWriter) -> None:
    """No wait of durably takes any time; one that only somebody's word ends, ends the process."""
    waits = 0

    def seconds_until(self: Stop, at: str, longest: float) -> float:
        nonlocal waits
        waits += 1
        if at == NO_TIME or waits > _MOST_WAITS:
            notes.write("stuck", waits=waits)
            os._exit(Busy.exit_code)
        return 0.0

    Stop.seconds_until = seconds_until  # type: ignore[method-assign]
