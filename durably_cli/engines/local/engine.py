"""The local engine: journals in a store, and processes that hold their locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durably_cli.engines.local.runs import LocalRuns
from durably_cli.engines.local.store import Store
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.local.noted_files import NotedFiles
    from durably_cli.engines.signal import Signalled


class LocalEngine:
    """That of one store: `Engine` says what each method is for."""

    has_workers = False

    def __init__(self, store: Store) -> None:
        self.store, self.runs = store, LocalRuns(store)

    def cancel(self, run_id: str, reason: str | None, seconds: float) -> bool:
        from durably_cli.engines.local.cancel import cancel  # not for --help

        return cancel(self.store, run_id, reason, seconds)

    def signal(
        self, run_id: str, name: str, value: Json, *, even_if_early: bool = False
    ) -> Signalled:
        from durably_cli.engines.signal import send_to_run  # not for who looks

        return send_to_run(self.runs, run_id, name, value, even_if_early=even_if_early)

    def noted(self) -> NotedFiles:
        from durably_cli.engines.local.noted_files import NotedFiles  # few projects have any

        return NotedFiles(self.store)
