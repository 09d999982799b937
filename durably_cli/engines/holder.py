"""Which process holds a run, as far as its journal and this machine tell."""

from __future__ import annotations

from durably_cli.engines.run_view import RunView


def holder(view: RunView) -> str:
    """Which process holds the run, as far as its journal tells: ` (pid 4242 on host)`.

    If that one is gone, which program that it has left behind does.
    """
    attempts = view.state.attempts
    owner = attempts[-1].started if attempts else view.state.created
    pids = ", ".join(map(str, view.heirs()))
    left = f", which is gone; what it started still has the journal: pid {pids}" if pids else ""
    return f" (pid {owner.pid} on {owner.host}{left})"
