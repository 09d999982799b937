"""What has come to a run since it was looked at last."""

from __future__ import annotations

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.stored import Placed, event_in, placed_in
from durably_cli.errors import JournalError
from durably_cli.journal.codec import BadLine
from durably_cli.system.ids import short


class News:
    """The events of one run, each given once; what is there of that attempt and behind it."""

    def __init__(self, database: RunDatabase, run_id: str, first_attempt: int = 0) -> None:
        self._database, self._run_id = database, run_id
        self._step, self._said = 0, (first_attempt, -1)

    def events(self) -> list[Placed]:
        """Those that are new, in their order. JournalError if one was changed."""
        steps = self._database.rows(_STEPS, self._run_id, self._step)
        talk = self._database.rows(_TALK, self._run_id, *self._said)
        try:
            found = [each for _, output in steps for each in placed_in(output)]
            found += (Placed(attempt, *event_in(line)) for attempt, _, line in talk)
        except (BadLine, ValueError, KeyError, TypeError, AttributeError) as bad:
            what = f"an event of run {short(self._run_id)} cannot be read: {bad}"
            raise JournalError(what) from None
        if steps:
            self._step = steps[-1][0]
        if talk:
            self._said = talk[-1][0], talk[-1][1]
        return sorted(found, key=lambda each: each[:2])


_STEPS = (
    "select function_id, output from dbos.operation_outputs where workflow_uuid = %s"
    " and function_id > %s order by function_id"
)
_TALK = (
    "select attempt, place, line from durably.talk where run = %s and (attempt, place) > (%s, %s)"
    " order by attempt, place"
)
