"""Idempotency keys, whatever engine has them: what one is called, and what is said of one that
stands for a run that is not there.
"""

from __future__ import annotations

from hashlib import sha256

from durably_cli import hints
from durably_cli.errors import NotFound
from durably_cli.system.ids import short
from durably_cli.values.strict_json import to_json


def name_of_key(job: str, key: str) -> str:
    """What the key of a job is known by: keys come from outside, and may be anything."""
    return sha256(to_json([job, key]).encode("utf-8", "surrogatepass")).hexdigest()


def of_deleted_run(job: str, key: str | None, deleted: str) -> NotFound:
    """The error that a key stands for a run that was deleted at that time."""
    return NotFound(
        f"the run of the idempotency key {key!r} of {job} was deleted at {deleted}; "
        "its work is not done again",
        hint=f"use another key\n{hints.command('help', 'care')}    (says how to free this one)",
    )


def of_run_elsewhere(job: str, key: str | None, run: str, host: str) -> NotFound:
    """The error that a key was used on that host, before the project had this engine."""
    with hints.of_engine("local"):
        look = hints.command("inspect", run)
    return NotFound(
        f"the idempotency key {key!r} of {job} was used for run {short(run)}, on {host}, before "
        "the runs of this project were in a database; its work is not done again",
        hint=f"{look}    (there: shows how it ended)\n"
        f"{hints.command('help', 'care')}    (says how to free this key)",
        run=run,
    )
