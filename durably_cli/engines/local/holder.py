"""Which process holds a run, as far as its journal and this machine tell."""

from __future__ import annotations

from durably_cli.engines.local import who
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import RunCreated, RunStarted


def holder(view: RunView) -> str:
    """Which process holds the run, as far as its journal tells: ` (pid 4242 on host)`.

    If that one is gone, which program that it has left behind does.
    """
    owner = _owner(view)
    pids = ", ".join(map(str, heirs(view)))
    left = f", which is gone; what it started still has the journal: pid {pids}" if pids else ""
    return f" (pid {owner.pid} on {owner.host}{left})"


def _owner(view: RunView) -> RunStarted | RunCreated:
    attempts = view.state.attempts
    return attempts[-1].started if attempts else view.state.created


def heirs(view: RunView) -> list[int]:
    """The processes that still have the journal of an owner that is gone."""
    owner = _owner(view)
    return who.heirs_of(view.path) if who.is_gone(owner.pid, owner.host) else []
