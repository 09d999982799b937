"""Where the events of one attempt go: DBOS steps for the durable ones, rows beside them for others.

Whoever comes while another thread syncs is served by the next sync: all that waits is one step.
What is not durable is written only as long as this worker owns the run, and before the function
that it announces is called: a worker that has lost its run starts nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.stored import fitting_name, line_at, step_of
from durably_cli.errors import JournalLost, RunEnded, ValueRefused
from durably_cli.journal import codec
from durably_cli.journal.events import LogWritten, RunCompleted, RunHasFailed, RunStarted
from durably_cli.journal.failures import describe
from durably_cli.journal.large import cut
from durably_cli.journal.registry import DURABLE, Event
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepFailed, StepStarted
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.system.signals import shielded

Record = Callable[[str, str], str]
"""Has a DBOS step of this name return this text; what the step's row has. JournalLost if it is
another worker's."""

MOST_BYTES = 64 << 20
"""How long a line may be: a row has it, and whoever looks at the run reads all of them."""


class DatabaseLog:
    """The log of an attempt: `Log` says what each method is for. `owner` is DBOS's token of it."""

    def __init__(
        self, database: RunDatabase, run_id: str, attempt: int, owner: str, record: Record
    ) -> None:
        self._database, self._run_id, self.attempt = database, run_id, attempt
        self._owner, self._record = owner, record
        self._writing, self._syncing = Lock(), Lock()
        self._unsynced = list[tuple[str, str]]()
        self.place = self._synced = 0
        self._has_ended = self._is_behind_failure = False
        self._lost: JournalLost | None = None

    @shielded
    def append(self, event: Event) -> None:
        with self._writing:
            place = self._write(event)
        if place:
            self._sync(place)

    @shielded
    def write(self, event: Event) -> int:
        with self._writing:
            return self._write(event)

    @shielded
    def sync(self, place: int) -> None:
        self._sync(place)

    @shielded
    def end_with(self, event: Event) -> None:
        with self._writing:
            try:
                place = self._write(event)
            except ValueRefused as error:  # the output, which a row cannot have
                place = self._write(RunHasFailed(describe(error), clock.now()))
            self._has_ended = True
        if place:
            self._sync(place)

    def end(self) -> None:
        with self._syncing, self._writing:
            self._has_ended = True

    def _sync(self, place: int) -> None:
        with self._syncing:
            if self._synced >= place:  # by another thread, while this one waited
                return
            with self._writing:
                self._raise_lost()
                names, lines = zip(*self._unsynced, strict=True)
                self._unsynced.clear()
                upto = self.place
            self._store(names[0], list(lines))
            self._synced = upto

    def _write(self, event: Event) -> int:
        self._raise_lost()
        if self._has_ended:
            raise RunEnded(
                f"a thread reported something when the attempt of run {short(self._run_id)} had "
                "ended; it is not recorded: let the handler wait for what it starts"
            )
        line = line_at(self.place + 1, event)
        if len(line) > MOST_BYTES and isinstance(event, LogWritten):  # which fails no run
            line = line_at(self.place + 1, event._replace(message=cut(event.message), data={}))
        if len(line) > MOST_BYTES:
            raise _too_large(event, len(line))
        self.place += 1
        if type(event) in DURABLE or isinstance(event, RunStarted) or self._is_carrying(event):
            self._unsynced.append((_name_of(event), line))
            return self.place
        self._say(line)
        return 0

    def _is_carrying(self, event: Event) -> bool:
        """Is it the first start behind a failure? Whether that is carried depends on it."""
        is_start = isinstance(event, (StepStarted, MapStarted))
        if is_start and self._is_behind_failure:
            self._is_behind_failure = False
            return True
        self._is_behind_failure |= isinstance(event, StepFailed)
        return False

    def _say(self, line: str) -> None:
        try:
            written = self._database.change(
                "insert into durably.talk select %s, %s, %s, %s from dbos.workflow_status"
                " where workflow_uuid = %s and owner_xid = %s and status = 'PENDING'"
                " on conflict (run, attempt, place) do update set line = excluded.line",
                *(self._run_id, self.attempt, self.place, line, self._run_id, self._owner),
            )
        except Exception as error:  # no failure of the step that it is about
            raise self._gone(f"run {short(self._run_id)} could not be written: {error}") from error
        if not written:
            raise self._gone(f"run {short(self._run_id)} was taken over by another worker")

    def _store(self, name: str, lines: list[str]) -> None:
        output = step_of(self.attempt, lines)
        try:
            found = self._record(name, output)
        except JournalLost as lost:
            self._lost = lost
            raise
        except ValueRefused:
            if len(lines) > 1:  # what other threads have written is lost with it
                self._lost = JournalLost(f"run {short(self._run_id)} could not be written")
            raise
        except BaseException as error:
            raise self._gone(f"run {short(self._run_id)} could not be written: {error}") from error
        if found != output:
            raise self._gone(f"another worker's event stands in run {short(self._run_id)}")

    def _gone(self, what: str) -> JournalLost:
        self._lost = JournalLost(what)
        return self._lost

    def _raise_lost(self) -> None:
        if self._lost is not None:
            raise JournalLost(str(self._lost))


def _too_large(event: Event, size: int) -> ValueRefused:
    what = f"what {codec.name_of(event)} says"
    if isinstance(event, StepCompleted):
        what = f"the result of step {event.name!r}"
    elif isinstance(event, RunCompleted):
        what = "the output"
    more = f"it has {size:,} bytes, and no row may have more than {MOST_BYTES:,}"
    return ValueRefused("$", f"{more}: return where that is, not what", what=what)


def _name_of(event: Event) -> str:
    """What DBOS calls the step: the name of ours, and what came of it if that is not a result."""
    what = codec.name_of(event)
    if not what.startswith("step."):
        return what
    name = fitting_name(str(event[0]))
    return name if what == "step.completed" else f"{name} ({what})"
