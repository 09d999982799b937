"""A project's old runs, removed by its workers: once an hour, for a few seconds at a time.

Any worker may ask as often as it likes: who comes while another one is at it, or within the hour
of one that was done with all, has nothing to do.
"""

from __future__ import annotations

import json

from durably_cli.engines.dbos.database import RunDatabase, lock_of
from durably_cli.engines.dbos.removal import DatabaseRemoval
from durably_cli.engines.old import RETENTION_PAUSE, Old
from durably_cli.engines.removal import removed_for_a_while


def retain_rows(database: RunDatabase, keep: float | None, keep_last: int) -> list[str]:
    """Remove what need not stay, unless that was done within the hour; the ids of what is gone."""
    asked = json.dumps([keep, keep_last])
    if _is_done(database, asked):
        return []
    lock = lock_of(f"{database.project} retention")
    row = database.row("select pg_try_advisory_lock(%s, %s)", *lock)
    if not (row and row[0]):  # another worker does it
        return []
    try:
        if _is_done(database, asked):  # by another one, a moment before
            return []
        gone, is_all = removed_for_a_while(DatabaseRemoval(database), Old.staying(keep, keep_last))
        if is_all:  # else the next one goes on
            database.change(
                "insert into durably.retention values (%s, %s, clock_timestamp())"
                " on conflict (project) do update set asked = excluded.asked, at = excluded.at",
                *(database.project, asked),
            )
        return gone
    finally:
        database.row("select pg_advisory_unlock(%s, %s)", *lock)


def _is_done(database: RunDatabase, asked: str) -> bool:
    """Was that done within the hour, as the server's clock has it?"""
    row = database.row(
        "select 1 from durably.retention where (project, asked) = (%s, %s)"
        " and at > clock_timestamp() - make_interval(secs => %s)",
        *(database.project, asked, RETENTION_PAUSE.total_seconds()),
    )
    return row is not None
