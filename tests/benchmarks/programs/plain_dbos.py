"""The seconds of so many steps of a plain DBOS workflow on PostgreSQL, at this URL."""

# mypy: allow-untyped-decorators

from __future__ import annotations

import json
import os
import sys
import time

from dbos import DBOS

from durably_cli.engines.dbos.queues import system_url


@DBOS.step()
def user(number: int) -> dict[str, object]:
    return {"id": number, "ok": True, "name": f"user-{number}"}


@DBOS.workflow()
def steps(count: int) -> float:
    begun = time.perf_counter()
    for number in range(count):
        user(number)
    return time.perf_counter() - begun


def main(url: str, count: int) -> None:
    """Print them."""
    DBOS(config={"name": "plain", "system_database_url": system_url(url), "log_level": "CRITICAL"})
    DBOS.launch()
    print(json.dumps({"seconds": steps(count)}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
