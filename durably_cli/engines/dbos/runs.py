"""The runs of a project in a database: `Runs` says what each method is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from durably_cli import hints
from durably_cli.engines.dbos.carried import carried
from durably_cli.engines.dbos.database import RunDatabase, masked
from durably_cli.engines.dbos.mail import DatabaseMail
from durably_cli.engines.dbos.resumes import wake
from durably_cli.engines.dbos.stored import as_journal, event_in
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

_PAGE = 200


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
        while True:
            rows = self._database.rows(
                "select run from durably.runs where project = %s and run < %s"
                " and (%s or job = any(%s)) and labels @> %s order by run desc limit %s",
                *(self._database.project, below, not jobs, list(jobs)),
                *(json.dumps(dict(labels or {})), _PAGE),
            )
            for (below,) in rows:
                yield below
            if len(rows) < _PAGE:
                return

    def follow(self, run_id: str) -> Iterator[tuple[bytes, Event]]:
        seen = frozenset[tuple[int, int]]()
        while True:
            begun = time.monotonic()
            view = self.view(run_id)
            lines = as_journal(run_id, view.events())
            for placed, line in zip(view.placed, lines, strict=True):
                if placed[:2] not in seen:
                    yield line
            seen = view.places
            if view.is_over and not view.state.is_waiting:
                return
            time.sleep(max(PAUSE_SECONDS, 4 * (time.monotonic() - begun)))

    def whole_log(self, run_id: str, log: LogWritten) -> LogWritten:
        return log

    def leave(self, run_id: str, name: str, number: int, sent: Sent) -> bool:
        is_first = DatabaseMail(self._database, run_id).send(name, number, sent)
        wake(self._database, run_id)
        return is_first

    def at_its_end(
        self, run_id: str, deadline: float, waits: Callable[[RunView], None]
    ) -> RunView | Unreadable:
        was_held: bool | None = None
        while True:
            run = self.look(run_id)
            if run is None:
                what = f"run {short(run_id)} was deleted meanwhile"
                raise NotFound(what, hint=hints.command("list"))
            if isinstance(run, Unreadable) or run.state.is_final:
                return run
            goes_on = not run.is_over or run.state.is_waiting
            left = deadline - time.monotonic()
            if left <= 0 or not goes_on:
                return run
            if was_held != run.held and (run.held or run.state.is_waiting):
                waits(run)
            was_held = run.held
            time.sleep(min(PAUSE_SECONDS, left))
