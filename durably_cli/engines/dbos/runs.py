"""The runs of a project in a database: `Runs` says what each method is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from durably_cli import hints
from durably_cli.engines.dbos.carried import carried
from durably_cli.engines.dbos.database import RunDatabase, is_locked, masked
from durably_cli.engines.dbos.mail import DatabaseMail
from durably_cli.engines.dbos.news import News
from durably_cli.engines.dbos.resumes import wake
from durably_cli.engines.dbos.row import RunRow, read_row
from durably_cli.engines.dbos.stored import JournalLines, event_in
from durably_cli.engines.dbos.view import DatabaseView, look_at_run
from durably_cli.engines.lookup import run_of_query
from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.engines.runs import Claimed
from durably_cli.errors import NotFound
from durably_cli.journal.codec import BadLine
from durably_cli.journal.events import LogWritten, RunCreated
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.steps.mail import Sent
from durably_cli.system.ids import short

PAUSE_SECONDS = 0.2
_SHORTEST, _LONGEST, _GROWS = 0.1, 1.0, 1.2

_PAGE = 200

_ALL = ("ENQUEUED", "DELAYED", "PENDING", "SUCCESS", "ERROR", "CANCELLED")
_OF_DBOS = {
    Status.PENDING: ("ENQUEUED", "DELAYED", "PENDING", "ERROR"),
    Status.RUNNING: ("PENDING",),
    Status.WAITING: ("PENDING", "ERROR"),
    Status.COMPLETED: ("PENDING", "SUCCESS"),
    Status.FAILED: ("PENDING", "ERROR"),
    Status.CANCELLED: ("PENDING", "ERROR", "CANCELLED"),
    Status.INTERRUPTED: ("PENDING", "ERROR"),
}
"""How DBOS may have a run of a status; what it has as PENDING may have ended a moment ago."""


class DatabaseRuns:
    """Those of one project."""

    def __init__(self, database: RunDatabase) -> None:
        self._database = database

    @property
    def place(self) -> str:
        return f"{masked(self._database.url)} ({self._database.project})"

    def find(self, query: str) -> str:
        return run_of_query(self, query)

    def fitting(self, part: str) -> list[str]:
        rows = self._database.rows(
            "select run from durably.runs where project = %s and (run like %s or run like %s)"
            " order by run desc",
            *(self._database.project, f"{part}%", f"%{part}"),
        )
        return [run for (run,) in rows]

    def claimed(self, job: str, key: str) -> Claimed:
        row = self._database.row(
            "select run, deleted from durably.keys where (project, job, key) = (%s, %s, %s)",
            *(self._database.project, job, key),
        )
        if row is not None:
            run, deleted = row
            return Claimed(None if deleted else run, deleted)
        found = carried(self._database, job, key)
        if found is None:
            return Claimed()
        return Claimed(None, found.deleted, f"run {short(found.run)} on {found.host}")

    def view(self, run_id: str, *, despite_damage: bool = False) -> DatabaseView:
        return DatabaseView(self._database, run_id)

    def look(self, run_id: str) -> DatabaseView | Unreadable | None:
        return look_at_run(self._database, run_id)

    def look_at(self, run_ids: Iterable[str]) -> Iterator[RunView | Unreadable]:
        for run_id in run_ids:
            if (found := self.look(run_id)) is not None:
                yield found

    def created(self, run_id: str) -> RunCreated | None:
        row = self._database.row(
            "select line from durably.runs where (run, project) = (%s, %s)",
            *(run_id, self._database.project),
        )
        try:
            event = event_in(row[0])[1] if row else None
        except (BadLine, ValueError):
            return None
        return event if isinstance(event, RunCreated) else None

    def run_ids(self) -> Iterator[str]:
        return self.candidates()

    def why_none(self) -> str:
        return ""

    def may_be_of_others(self) -> bool:
        return False

    def lacks_place(self) -> str:
        return ""

    def candidates(
        self,
        *,
        statuses: Collection[Status] = (),
        jobs: Collection[str] = (),
        labels: Mapping[str, str] | None = None,
        looking_at_many: Callable[[], object] = lambda: None,
    ) -> Iterator[str]:
        import json

        below = "~"  # behind every id
        possible = {name for status in statuses for name in _OF_DBOS.get(status, _ALL)}
        while True:
            rows = self._database.rows(
                "select r.run from durably.runs r"
                " left join dbos.workflow_status s on s.workflow_uuid = r.run"
                " where r.project = %s and r.run < %s and (%s or r.job = any(%s))"
                " and r.labels @> %s and (%s or s.status is null or s.status = any(%s))"
                " order by r.run desc limit %s",
                *(self._database.project, below, not jobs, list(jobs)),
                *(json.dumps(dict(labels or {})), not statuses, list(possible), _PAGE),
            )
            for (below,) in rows:
                yield below
            if len(rows) < _PAGE:
                return

    def follow(self, run_id: str) -> Iterator[tuple[bytes, Event]]:
        self._database.be_patient()
        news, lines = News(self._database, run_id), JournalLines(run_id)
        created = self.view(run_id).state.created
        yield lines.line_of(created), created
        for pause in self.pauses():
            is_over = not self.goes_on(run_id)
            found = news.events()
            for placed in found:
                yield lines.line_of(placed.event), placed.event
            if is_over:
                return
            pause(bool(found))

    def goes_on(self, run_id: str) -> bool:
        """Is it executed, or is it to be, at once or when its time comes?"""
        row = read_row(self._database, run_id)
        return row is not None and (not row.is_over or self.view(run_id).state.is_waiting)

    def row(self, run_id: str) -> RunRow:
        """How it stands, without its events. NotFound if there is none."""
        row = read_row(self._database, run_id)
        if row is None:
            what = f"run {short(run_id)} was deleted meanwhile"
            raise NotFound(what, hint=hints.command("list"))
        return row

    def news(self, run_id: str, first_attempt: int = 0) -> News:
        """Its events from that attempt on, and those to come: what a fork has is of attempt 0."""
        return News(self._database, run_id, first_attempt)

    def whole_log(self, run_id: str, log: LogWritten) -> LogWritten:
        return log

    def leave(self, run_id: str, name: str, number: int, sent: Sent) -> bool:
        is_first = DatabaseMail(self._database, run_id).send(name, number, sent)
        wake(self._database, run_id)
        return is_first

    def at_its_end(
        self, run_id: str, deadline: float, waits: Callable[[RunView], None]
    ) -> RunView | Unreadable:
        self._database.be_patient()
        was: tuple[bool, bool] | None = None
        known: tuple[RunRow, bool] | None = None
        for pause in self.pauses():
            row = read_row(self._database, run_id)
            left = deadline - time.monotonic()
            seen = row and (row, row.is_taken and is_locked(self._database, row.executor))
            if seen == known and seen is not None and left > 0:
                pause(False, left)
                continue
            known = seen
            run = self.look(run_id)
            if run is None:
                what = f"run {short(run_id)} was deleted meanwhile"
                raise NotFound(what, hint=hints.command("list"))
            if isinstance(run, Unreadable) or run.state.is_final:
                return run
            if left <= 0 or (run.row.is_over and not run.state.is_waiting):
                return run
            now = run.held, run.is_queued
            if was != now and (run.goes_on or run.state.is_waiting):
                waits(run)
            was = now
            pause(True, left)
        raise AssertionError

    @staticmethod
    def pauses() -> Iterator[Callable[..., None]]:
        """Again and again, what lets time pass: the more, the longer nothing was new."""
        seconds = _SHORTEST

        def pause(was_new: bool, longest: float = _LONGEST) -> None:
            nonlocal seconds
            seconds = _SHORTEST if was_new else min(_LONGEST, seconds * _GROWS)
            time.sleep(max(0.0, min(seconds, longest)))

        while True:
            yield pause
