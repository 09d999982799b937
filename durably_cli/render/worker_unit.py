"""A worker as systemd starts it."""

from __future__ import annotations

from durably_cli.render.scheduled import Scheduled, units

_SLACK_SECONDS = 10


def worker_unit(what: Scheduled, grace: float | None, variables: str) -> str:
    """The service, which is stopped as gently as `worker` does it; with a file of variables.

    ValueError for what no unit can hold.
    """
    lines = [
        *([f"EnvironmentFile={variables}"] if variables else []),
        "KillMode=mixed",  # else the programs of steps would be ended, too
        f"TimeoutStopSec={'infinity' if grace is None else int(grace) + _SLACK_SECONDS}",
    ]
    (service,) = units(what, lines)
    return f"# /etc/systemd/system/{service.name}\n{service.text}"
