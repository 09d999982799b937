"""The workloads on python-durable with its SQLite store; runs in a Python of its own.

As its README has it: a `Workflow` on a file, a call of the workflow, and the same call again to
resume it. It has no telemetry and no server, and says nothing unless a step fails. It has no call
that lists runs.

Its store opens a connection for each thing that it reads or writes, and leaves SQLite as it is: a
rollback journal, synchronous FULL. With WAL a step would sync more often, not less, for whatever
was written is copied to the database when its connection is closed; so there is no other setting.
"""

# mypy: allow-untyped-decorators

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable

from durable import Workflow  # type: ignore[import-not-found, unused-ignore]

_, _workload, *_arguments = sys.argv[1:]
_data = _arguments[-1] if _arguments else ""
_effects = os.path.join(_data, "effects")

_INTERRUPTED = "interrupted"

peer = Workflow("peer", db=os.path.join(_data, "durable.db"))


@peer.task
async def user(number: int) -> dict[str, object]:
    return {"id": number, "ok": True, "name": f"user-{number}"}


@peer.task
async def noted_user(number: int) -> dict[str, object]:
    with open(_effects, "a") as effects:
        effects.write(f"{number}\n")
    return {"id": number, "ok": True, "name": f"user-{number}"}


@peer.task
async def fetch(org_id: str) -> list[str]:
    return [f"{org_id}-{number}" for number in range(3)]


@peer.task
async def save(users: list[str], force: bool) -> int:
    return len(users) if force else 0


@peer.task
async def report(saved: int) -> dict[str, int]:
    return {"saved": saved}


@peer.workflow(id="no-steps")
async def no_steps() -> None:
    pass


@peer.workflow(id="many-steps-{run}")
async def many_steps(run: str, count: int) -> int:
    done = 0
    for number in range(count):
        done += (await user(number, step_id=f"user-{number}"))["ok"]
    return done


@peer.workflow(id="many-noted-steps-{run}")
async def many_noted_steps(run: str, count: int) -> int:
    done = 0
    for number in range(count):
        done += (await noted_user(number, step_id=f"user-{number}"))["ok"]
    if _workload == "prepare":
        _say({"steps": done})
        os._exit(9)
    return done


@peer.workflow(id="sync-users-{run}")
async def sync_users(run: str, org_id: str, force: bool) -> dict[str, int]:
    result: dict[str, int] = await report(await save(await fetch(org_id), force))
    return result


async def steps(count: int) -> dict[str, object]:
    """Run that many steps."""
    await no_steps()  # its tables are made by the first run
    start = time.monotonic()
    done = await many_steps(_new_run(), count)
    return {"steps": done, "seconds": time.monotonic() - start}


async def trigger() -> dict[str, object]:
    """Run three steps."""
    return {"result": await sync_users(_new_run(), org_id="acme", force=True)}


async def prepare(count: int) -> None:
    """Run that many steps, and die behind the last."""
    await many_noted_steps(_INTERRUPTED, count)


async def replay() -> dict[str, object]:
    """Make the same call again."""
    with open(_effects) as effects:
        count = len(effects.readlines())
    await no_steps()
    start = time.monotonic()
    done = await many_noted_steps(_INTERRUPTED, count)
    seconds = time.monotonic() - start
    with open(_effects) as effects:
        if len(effects.readlines()) != done:
            sys.exit("finished steps ran again")
    return {"replayed": done, "seconds": seconds}


async def versions() -> dict[str, object]:
    """The versions of what is measured."""
    from importlib.metadata import version
    from platform import python_version
    from sqlite3 import sqlite_version

    return {
        "python-durable": version("python-durable"),
        "Python": python_version(),
        "SQLite": sqlite_version,
    }


def _new_run() -> str:
    return str(uuid.uuid4())


def _say(line: object) -> None:
    print(json.dumps(line), flush=True)


_WORKLOADS: dict[str, Callable[..., Awaitable[object]]] = {
    "steps": steps,
    "trigger": trigger,
    "prepare": prepare,
    "replay": replay,
    "version": versions,
}


async def _main() -> None:
    if _data:
        os.makedirs(_data, exist_ok=True)
    _say(await _WORKLOADS[_workload](*map(int, _arguments[:-1])))


if __name__ == "__main__":
    asyncio.run(_main())
