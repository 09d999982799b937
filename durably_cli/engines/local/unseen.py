"""The observer of runs that nobody looks at while they execute: their journals have it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from durably_cli.engines.local.live_run import LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.journal.registry import Event
from durably_cli.journal.wait_events import StepWaiting

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class Unseen:
    """Sees a run and shows nothing; one that only waits is suspended, if it `suspends`."""

    run: LiveRun | None = None

    def __init__(self, *, suspends: bool = False) -> None:
        self._suspends = suspends

    def recorded(self, event: Event) -> None: ...
    def replayed(self, name: str) -> None: ...
    def child_waits(self, child: str, run: LiveRun, event: StepWaiting | None) -> None: ...

    def owns(self, run: LiveRun) -> None:
        run.stop.suspends = self._suspends
        self.run = run

    def passes_over(self, job: str, unread: Sequence[Unread]) -> None: ...
    def waits_for_run(self, view: RunView) -> None: ...
    def waits_for_key(self, run_id: str, key: str) -> None: ...
    def waits_for_programs(self, run_id: str) -> None: ...
