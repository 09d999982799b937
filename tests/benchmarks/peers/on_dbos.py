"""The workloads on DBOS Transact with SQLite; runs in a Python of its own, which has `dbos`.

As its quick start has it: `DBOS(config=...)`, `DBOS.launch()`, a call of the workflow, the end of
the script. Its log is off (`log_level`). Telemetry and the conductor are off unless asked for,
and there is no admin server any more. Its documentation advises Postgres for production, and no
setting of SQLite.

defaults   the engine that DBOS makes: a rollback journal, synchronous FULL
wal        the same engine on a file that was turned to WAL once; synchronous is FULL as before
"""

# mypy: allow-untyped-decorators

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSClient, SetWorkflowID  # type: ignore[import-not-found, unused-ignore]

_mode, _workload, *_arguments = sys.argv[1:]
_data = _arguments[-1] if _arguments else ""
_database = os.path.join(_data, "dbos.sqlite")
_effects = os.path.join(_data, "effects")

_SECONDS, _AT_ONCE = 0.005, 16
_INTERRUPTED = "interrupted"
_REPLAYS = "replays"
_POLL = 0.01


@DBOS.step()
def user(number: int) -> dict[str, object]:
    return {"id": number, "ok": True, "name": f"user-{number}"}


@DBOS.step()
def noted_user(number: int) -> dict[str, object]:
    with open(_effects, "a") as effects:
        effects.write(f"{number}\n")
    return {"id": number, "ok": True, "name": f"user-{number}"}


@DBOS.step()
def fetch(org_id: str) -> list[str]:
    return [f"{org_id}-{number}" for number in range(3)]


@DBOS.step()
def save(users: list[str], force: bool) -> int:
    return len(users) if force else 0


@DBOS.step()
def report(saved: int) -> dict[str, int]:
    return {"saved": saved}


@DBOS.workflow()
def many_steps(count: int) -> int:
    return sum(bool(user(number)["ok"]) for number in range(count))


@DBOS.step()
async def waiting(number: int) -> int:
    await asyncio.sleep(_SECONDS)
    return number


@DBOS.workflow()
async def many_waiting(count: int) -> int:
    room = asyncio.Semaphore(_AT_ONCE)  # which lets them in as they come: steps have one order

    async def waited(number: int) -> int:
        async with room:
            return await waiting(number)

    return len(await asyncio.gather(*map(waited, range(count))))


@DBOS.workflow()
def many_noted_steps(count: int) -> int:
    done = sum(bool(noted_user(number)["ok"]) for number in range(count))
    if _workload == "prepare":
        _say({"steps": done})
        os._exit(9)
    return done


@DBOS.workflow()
def sync_users(org_id: str, force: bool) -> dict[str, int]:
    result: dict[str, int] = report(save(fetch(org_id), force))
    return result


def steps(count: int) -> dict[str, object]:
    """Run that many steps."""
    _launch()
    start = time.monotonic()
    done = many_steps(count)
    return {"steps": done, "seconds": time.monotonic() - start}


def many(count: int) -> dict[str, object]:
    """Run that many steps that wait, by `gather` and a semaphore.

    Of the ways to have many at once this is the fastest: a workflow each on a queue that is polled
    a hundred times a second takes more than twice as long, and so does sixteen after sixteen.
    """
    _launch()
    start = time.monotonic()
    done = asyncio.run(many_waiting(count))
    return {"steps": done, "seconds": time.monotonic() - start}


def trigger() -> dict[str, object]:
    """Run three steps."""
    _launch()
    return {"result": sync_users(org_id="acme", force=True)}


def prepare(count: int) -> None:
    """Run that many steps, and die behind the last."""
    _launch(executor_id="the one that dies")
    with SetWorkflowID(_INTERRUPTED):
        many_noted_steps(count)


def replay() -> dict[str, object]:
    """Resume on a queue that is polled often: the one on which `launch` recovers is each second.

    Hence the two executor ids, for `launch` recovers the runs of its own.
    """
    _launch(executor_id="the one that resumes")
    DBOS.register_queue(_REPLAYS, polling_interval_sec=_POLL)
    while f"queue-worker-{_REPLAYS}" not in [thread.name for thread in threading.enumerate()]:
        time.sleep(_POLL)
    start = time.monotonic()
    handle = DBOS.resume_workflow(_INTERRUPTED, queue_name=_REPLAYS)
    done = handle.get_result(polling_interval_sec=_POLL)
    seconds = time.monotonic() - start
    with open(_effects) as effects:
        if len(effects.readlines()) != done:
            sys.exit("finished steps ran again")
    return {"replayed": done, "seconds": seconds}


def fill(count: int) -> dict[str, object]:
    """Copy the rows of a run, each copy with an id of its own and a second older."""
    _launch()
    with SetWorkflowID("original"):
        sync_users(org_id="acme", force=True)
    with sqlite3.connect(_database, timeout=30) as database:
        for table in _TABLES:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            database.execute(
                "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies"
                f" WHERE n < :count) INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {', '.join(map(_copied, columns))} FROM {table}, copies"
                " WHERE workflow_uuid = 'original' AND n < :count",
                {"count": count},
            )
    return {"runs": count}


def newest(count: int) -> dict[str, object]:
    """List the newest 20."""
    client = DBOSClient(system_database_url=f"sqlite:///{_database}")
    start = time.monotonic()
    runs = client.list_workflows(limit=20, sort_desc=True)
    seconds = time.monotonic() - start
    if len(runs) != min(count, 20):
        sys.exit(f"{len(runs)} runs are listed")
    return {"runs": [run.workflow_id for run in runs], "seconds": seconds}


def versions() -> dict[str, object]:
    """The versions of what is measured."""
    from importlib.metadata import version
    from platform import python_version

    return {
        "dbos": version("dbos"),
        "Python": python_version(),
        "SQLite": sqlite3.sqlite_version,
    }


_TABLES = ("workflow_status", "workflow_input", "workflow_output", "operation_outputs")
_TIMES = (
    *("created_at", "updated_at", "started_at_epoch_ms", "completed_at"),
    *("completed_at_epoch_ms", "retention_timestamp"),
)


def _copied(column: str) -> str:
    if column == "workflow_uuid":
        return "printf('copy-%08d', :count - n)"
    return f"{column} - n * 1000" if column in _TIMES else column


def _launch(**more: Any) -> None:
    os.makedirs(_data, exist_ok=True)
    if _mode == "wal" and not os.path.exists(_database):
        sqlite3.connect(_database).execute("PRAGMA journal_mode=WAL")
    url = f"sqlite:///{_database}"
    DBOS(config={"name": "peer", "system_database_url": url, "log_level": "ERROR", **more})
    DBOS.launch()


def _say(line: object) -> None:
    print(json.dumps(line), flush=True)


_WORKLOADS: dict[str, Callable[..., object]] = {
    "steps": steps,
    "trigger": trigger,
    "prepare": prepare,
    "replay": replay,
    "fill": fill,
    "list": newest,
    "many": many,
    "version": versions,
}

if __name__ == "__main__":
    _say(_WORKLOADS[_workload](*map(int, _arguments[:-1])))
