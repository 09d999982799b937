"""A run as its rows stand now, read at one moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from durably_cli import hints
from durably_cli.engines.dbos.census import workers_that_have
from durably_cli.engines.dbos.database import RunDatabase, is_locked, masked
from durably_cli.engines.dbos.mail import DatabaseMail
from durably_cli.engines.dbos.row import RunRow, read_row
from durably_cli.engines.dbos.stored import Placed, as_journal, event_in, placed_in
from durably_cli.engines.run_view import CancelRequest, RunView, Unreadable
from durably_cli.errors import Busy, DurablyError, JournalError, NotFound
from durably_cli.journal.codec import BadLine
from durably_cli.journal.events import LogWritten, RunCancelled
from durably_cli.journal.fold import NotARun, fold
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.system import ids
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.steps.mail import Mail


class DatabaseView(RunView):
    """A run as its rows stand now. NotFound if there are none; JournalError if they make no run."""

    def __init__(self, database: RunDatabase, run_id: str) -> None:
        self.run_id, self._database = run_id, database
        self.row, self.held, line, placed = database.whole(self._read, reads=True)
        self.placed = [Placed(0, 0, _made(run_id, line)), *placed]
        self._events = [each.event for each in self.placed]
        try:
            self.state = fold(self._events)
            if self.row.status == "CANCELLED" and not self.state.is_final:
                self._events.append(self._cancelled())
                self.placed.append(Placed(sys.maxsize, 0, self._events[-1]))
                self.state = fold(self._events)
        except NotARun as error:
            raise JournalError(f"run {ids.short(run_id)} cannot be read: {error}") from None

    def _read(self) -> tuple[RunRow, bool, str, list[Placed]]:
        database, run_id = self._database, self.run_id
        row = read_row(database, run_id)
        if row is None:
            where = f"{database.project} in {masked(database.url)}"
            raise NotFound(f"there is no run {run_id} of {where}", hint=hints.command("list"))
        held = row.is_taken and is_locked(database, row.executor)
        made = database.row("select line from durably.runs where run = %s", run_id)
        return row, held, made[0] if made else "", read_events(database, run_id)

    @property
    def is_queued(self) -> bool:
        return self.row.is_queued and not self.state.is_final

    @property
    def goes_on(self) -> bool:
        """Also that of a worker that has died: the next one takes it up by itself."""
        return super().goes_on or (self.row.is_taken and not self.state.has_ended)

    @property
    def lacks_worker(self) -> bool:
        job = self.state.created.job
        return self.goes_on and not self.held and not workers_that_have(self._database, job)

    @property
    def is_left(self) -> bool:
        state = self.state
        return self.row.is_over and not (state.has_ended or state.is_waiting)

    @property
    def status(self) -> Status:
        if self.is_queued:
            return Status.PENDING
        return super().status

    @property
    def where(self) -> str:
        return f"{masked(self._database.url)} {self.run_id}"

    @property
    def mail(self) -> Mail:
        return DatabaseMail(self._database, self.run_id)

    def events(self) -> Iterator[Event]:
        return iter(self._events)

    def lines(self) -> Iterator[tuple[bytes, Event]]:
        return as_journal(self.run_id, self._events)

    def input(self) -> Json:
        return self.state.created.input

    def output(self) -> Json | None:
        return self.state.output

    def result(self, found: Json) -> Json:
        return found

    def whole_log(self, log: LogWritten) -> LogWritten:
        return log

    def look_beside(self, run_id: str) -> RunView | Unreadable | None:
        return look_at_run(self._database, run_id)

    def forks(self) -> list[str]:
        return [run for (run,) in self._database.rows(_FORKS, self.run_id)]

    def cancel_request(self) -> CancelRequest | None:
        return None if self.state.has_ended else self.row.request

    def has_key(self) -> str | None:
        key = self.state.created.concurrency_key
        row = None if key is None else self._database.row(_OF_KEY, self._database.project, key)
        return row[0] if row else None

    def heirs(self) -> list[int]:
        return []

    def is_still_free(self) -> bool:
        row = read_row(self._database, self.run_id)
        return row is not None and not row.is_taken

    def sync(self) -> None:
        """Nothing is read that is not committed."""

    def close(self) -> None:
        """Nothing is held."""

    def refuse_if_taken_up(self) -> None:
        """Busy if a worker executes it, or is about to."""
        if self.held or self.row.is_queued:
            run = ids.short(self.run_id)
            at = f", on {self.row.executor}" if self.held else ", and waits for a worker"
            raise Busy(f"run {run} is {self.status}{at}", hint=hints.command("wait", run))

    def _cancelled(self) -> RunCancelled:
        request = self.row.request
        if request is None:  # by other tools of DBOS
            return RunCancelled(_utc(self.row.ended_at or 0))
        return RunCancelled(request.at, request.reason, request.by)


def look_at_run(database: RunDatabase, run_id: str) -> DatabaseView | Unreadable | None:
    """The run as it is now, or why it cannot be read; None if there is none."""
    try:
        return DatabaseView(database, run_id)
    except NotFound:
        return None
    except JournalError as error:
        return Unreadable(run_id, error)


def read_events(database: RunDatabase, run_id: str) -> list[Placed]:
    """All events behind its run.created, in order. JournalError if one was changed."""
    try:
        placed = [
            each for (output,) in database.rows(_DURABLE, run_id) for each in placed_in(output)
        ]
        talk = database.rows("select attempt, line from durably.talk where run = %s", run_id)
        placed += (Placed(attempt, *event_in(line)) for attempt, line in talk)
    except (BadLine, ValueError, KeyError, TypeError, AttributeError) as bad:
        what = f"an event of run {ids.short(run_id)} cannot be read: {bad}"
        raise JournalError(what) from None
    return sorted(placed, key=lambda each: each[:2])


def _made(run_id: str, line: str) -> Event:
    try:
        return event_in(line)[1]
    except (BadLine, ValueError) as bad:
        error: DurablyError = JournalError(f"run {ids.short(run_id)} cannot be read: {bad}")
        raise error from None


def _utc(milliseconds: int) -> str:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


_FORKS = (
    "select r.run from durably.forks f join durably.runs r on r.run = f.run where f.origin = %s"
    " order by r.run"
)
_DURABLE = "select output from dbos.operation_outputs where workflow_uuid = %s order by function_id"
_OF_KEY = (
    "select r.run from durably.runs r join dbos.workflow_status s on s.workflow_uuid = r.run"
    " where (r.project, r.concurrency_key) = (%s, %s) and s.status = 'PENDING' limit 1"
)
