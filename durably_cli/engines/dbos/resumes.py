"""Attempts that are to come: of runs that wait, and of runs that somebody resumes.

A worker looks for both twice a second, and has DBOS hand the run out again.
"""

from __future__ import annotations

import json

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.decisions import Decisions

_NEVER = "9999"


def begin_attempt(database: RunDatabase, run_id: str) -> dict[int, Decisions]:
    """What was asked for of attempts of this run, by their numbers; nobody is to wake it now."""
    database.change("delete from durably.suspended where run = %s", run_id)
    rows = database.rows(
        "update durably.resumes set is_taken = true where run = %s returning attempt, decisions",
        run_id,
    )
    return {number: Decisions(**json.loads(decisions)) for number, decisions in rows}


def note_suspended(database: RunDatabase, run_id: str, until: str) -> None:
    """Have it attempted at that time; at once if a signal, or a cancel, has come meanwhile."""
    from durably_cli.engines.dbos.view import DatabaseView
    from durably_cli.engines.due import is_due

    database.change(
        "insert into durably.suspended values (%s, %s)"
        " on conflict (run) do update set due = excluded.due",
        run_id,
        until or _NEVER,
    )
    with DatabaseView(database, run_id) as view:
        if is_due(view) or view.cancel_request():
            wake(database, run_id)


def wake(database: RunDatabase, run_id: str) -> None:
    """Have it attempted now, if it is suspended."""
    database.change("update durably.suspended set due = '' where run = %s", run_id)


def wake_at_once(database: RunDatabase, run_id: str) -> None:
    """Have a run that has not ended attempted now, though nobody is to go on with it."""
    database.change(
        "insert into durably.suspended values (%s, '') on conflict (run) do update set due = ''",
        run_id,
    )


def ask_again(database: RunDatabase, run_id: str, attempt: int, decisions: Decisions) -> bool:
    """Have it attempted as this attempt; False if somebody has asked for that before."""
    return bool(
        database.change(
            "insert into durably.resumes values (%s, %s, %s, false) on conflict do nothing",
            *(run_id, attempt, json.dumps(decisions._asdict())),
        )
    )
