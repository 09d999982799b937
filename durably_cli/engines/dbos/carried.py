"""Idempotency keys that were used on a host before its project had this engine.

Of each there is the hash of job and key, as the local engine names it. It stands for a run that is
on that host, or was deleted there: a trigger with such a key runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.keys import name_of_key, of_deleted_run, of_run_elsewhere


class CarriedKey(NamedTuple):
    """The run that a key stood for on that host, and when it was deleted there, if it was."""

    run: str
    host: str
    deleted: str | None = None


def carry(database: RunDatabase, keys: Iterable[tuple[str, CarriedKey]]) -> int:
    """Let these names of keys stand for what they stood for; how many did not before."""
    many = list(keys)
    if not many:
        return 0
    names, runs, hosts, deleted = zip(*((name, *each) for name, each in many), strict=True)
    return database.change(
        "insert into durably.carried select %s, * from"
        " unnest(%s::text[], %s::text[], %s::text[], %s::text[]) on conflict do nothing",
        *(database.project, list(names), list(runs), list(hosts), list(deleted)),
    )


def known_names(database: RunDatabase) -> frozenset[str]:
    """The names of all keys that were carried, or that runs of the database have, or had."""
    rows = database.rows("select name from durably.carried where project = %s", database.project)
    own = database.rows("select job, key from durably.keys where project = %s", database.project)
    return frozenset((*(name for (name,) in rows), *(name_of_key(job, key) for job, key in own)))


def carried(database: RunDatabase, job: str, key: str) -> CarriedKey | None:
    """What the key stood for elsewhere, if it was carried."""
    row = database.row(
        "select run, host, deleted from durably.carried where (project, name) = (%s, %s)",
        *(database.project, name_of_key(job, key)),
    )
    return None if row is None else CarriedKey(*row)


def refuse_carried(database: RunDatabase, job: str, key: str) -> None:
    """NotFound if the key was used elsewhere before."""
    found = carried(database, job, key)
    if found is None:
        return
    if found.deleted:
        raise of_deleted_run(job, key, f"{found.deleted}, on {found.host}")
    raise of_run_elsewhere(job, key, found.run, found.host)


def forget_carried(database: RunDatabase, job: str, key: str) -> bool:
    """Let the key stand for nothing elsewhere any more; False if it did not."""
    return bool(
        database.change(
            "delete from durably.carried where (project, name) = (%s, %s)",
            *(database.project, name_of_key(job, key)),
        )
    )
