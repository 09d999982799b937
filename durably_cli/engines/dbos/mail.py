"""The signals that were sent to a run: rows, of which the first of a name and number counts."""

from __future__ import annotations

from collections.abc import Callable

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.stored import fitting_name
from durably_cli.steps.mail import Closed, Found, Sent
from durably_cli.values.strict_json import Json

_CLOSED = ""
"""Who has sent the end of a wait."""


class DatabaseMail:
    """Those to one run: `Mail` says what each method is for."""

    def __init__(self, database: RunDatabase, run_id: str) -> None:
        self._database, self._run_id = database, run_id

    def find(self, name: str, number: int) -> Found | None:
        row = self._database.row(
            "select value, sent_by, sent_at from durably.signals"
            " where (run, name, number) = (%s, %s, %s)",
            self._run_id,
            fitting_name(name),
            number,
        )
        if row is None:
            return None
        value, by, at = row
        return Closed(at) if by == _CLOSED else Sent(Json(value), by, at)

    def listens_for(self, name: str, number: int) -> Callable[[], bool]:
        return lambda: self.find(name, number) is not None

    def send(self, name: str, number: int, sent: Sent) -> bool:
        """Leave a signal there; False if there is one of this name and number."""
        return self._put(name, number, sent.value, sent.by, sent.at)

    def close(self, name: str, number: int, at: str) -> bool:
        return self._put(name, number, None, _CLOSED, at)

    def refuse(self, name: str, number: int) -> None:
        self._database.change(
            "delete from durably.signals where (run, name, number) = (%s, %s, %s)",
            self._run_id,
            fitting_name(name),
            number,
        )

    def _put(self, name: str, number: int, value: str | None, by: str, at: str) -> bool:
        return bool(
            self._database.change(
                "insert into durably.signals values (%s, %s, %s, %s, %s, %s)"
                " on conflict do nothing",
                *(self._run_id, fitting_name(name), number, value, by, at),
            )
        )
