"""Attempts that are to come: of runs that wait, and of runs that somebody resumes.

A worker looks for both twice a second, and has DBOS hand the run out again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.decisions import NO_DECISIONS, Decisions
from durably_cli.engines.run_view import RunView
from durably_cli.journal.state import Status
from durably_cli.system import clock

_NEVER = "9999"


class AskedAttempt(NamedTuple):
    """What was asked for of an attempt: decisions, and that it takes no longer than this."""

    decisions: Decisions
    seconds: float | None

    @property
    def is_nothing(self) -> bool:
        """Is just an attempt asked for?"""
        return not (self.decisions.redo or self.decisions.done) and self.seconds is None


def begin_attempt(database: RunDatabase, run_id: str) -> dict[int, AskedAttempt]:
    """What was asked for of attempts of this run, by their numbers; nobody is to wake it now."""
    database.change("delete from durably.suspended where run = %s", run_id)
    rows = database.rows(
        "update durably.resumes set is_taken = true where run = %s"
        " returning attempt, decisions, seconds",
        run_id,
    )
    return {
        number: AskedAttempt(Decisions(**json.loads(text)), most) for number, text, most in rows
    }


def longest_of_attempt(attempt: int, asked: Mapping[int, AskedAttempt]) -> float | None:
    """The seconds that this attempt may take, as somebody has said of it, or of one before."""
    said = [number for number in asked if number <= attempt]
    return asked[max(said)].seconds if said else None


def note_suspended(database: RunDatabase, run_id: str, until: str) -> bool:
    """Have it attempted at that time; True if at once, for what it waits for has come meanwhile."""
    from durably_cli.engines.dbos.view import DatabaseView
    from durably_cli.engines.due import is_due

    database.change(
        "insert into durably.suspended values (%s, %s)"
        " on conflict (run) do update set due = excluded.due",
        run_id,
        until or _NEVER,
    )
    with DatabaseView(database, run_id) as view:
        if not is_due(view) and not view.cancel_request():
            return False
    wake(database, run_id)
    return True


def pass_on(database: RunDatabase, run_id: str, seconds: float) -> None:
    """Have another worker take it up, for this one has not its job; this one may be asked again."""
    due = clock.utc_now() + timedelta(seconds=seconds)
    database.change(
        "insert into durably.suspended values (%s, %s, true)"
        " on conflict (run) do update set due = excluded.due, was_passed_on = true",
        *(run_id, clock.format_due(due)),
    )
    database.change(  # who asked for its end a moment before
        "update durably.suspended set due = '' where run = %s"
        " and exists(select from durably.cancels c where c.run = %s)",
        *(run_id, run_id),
    )


def take_passed_on(database: RunDatabase, jobs: Sequence[str]) -> None:
    """A worker is there that has these jobs: what others have passed on is queued again."""
    database.change(
        "update durably.suspended s set due = '' from durably.runs r where r.run = s.run"
        " and s.was_passed_on and r.project = %s and r.job = any(%s)",
        *(database.project, list(jobs)),
    )


def wake(database: RunDatabase, run_id: str) -> None:
    """Have it attempted now, if it is suspended."""
    database.change("update durably.suspended set due = '' where run = %s", run_id)


def wake_at_once(database: RunDatabase, run_id: str) -> None:
    """Have a run that has not ended attempted now, though nobody is to go on with it."""
    database.change(
        "insert into durably.suspended values (%s, '') on conflict (run) do update set due = ''",
        run_id,
    )


def limit_attempts(database: RunDatabase, run_id: str, seconds: float) -> None:
    """Each attempt at a run that is made just now may take so many seconds."""
    database.change(_ASK, run_id, 1, json.dumps(NO_DECISIONS._asdict()), seconds, True)


def ask_again(database: RunDatabase, view: RunView, asked: AskedAttempt) -> bool:
    """Have a run attempted once more; False if somebody has asked for that before.

    Who wanted one to end that has failed since does not want it any more.
    """
    if view.state.status is Status.FAILED:
        database.change("delete from durably.cancels where run = %s", view.run_id)
    text, attempt = json.dumps(asked.decisions._asdict()), len(view.state.attempts) + 1
    return bool(database.change(_ASK, view.run_id, attempt, text, asked.seconds, False))


_ASK = (
    "insert into durably.resumes values (%s, %s, %s, %s, %s) on conflict (run, attempt) do update"
    " set decisions = excluded.decisions, seconds = excluded.seconds, is_taken = false"
    " where resumes.is_taken"
)


NOTHING = AskedAttempt(NO_DECISIONS, None)
