"""The local engine: journals in a store, and processes that hold their locks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from durably_cli.engines.local.runs import LocalRuns
from durably_cli.engines.local.store import Store
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.bundle import Exported
    from durably_cli.engines.local.noted_files import NotedFiles
    from durably_cli.engines.local.removal import LocalRemoval
    from durably_cli.engines.run_view import RunView
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

    @property
    def removal(self) -> LocalRemoval:
        from durably_cli.engines.local.removal import LocalRemoval  # for who removes

        return LocalRemoval(self.store)

    def export(self, run_id: str, job_files: Iterable[Path], out: BinaryIO) -> Exported:
        from durably_cli.engines.bundle import Exported  # for who asks for it
        from durably_cli.engines.local.bundle import pack_journal

        with self.store.view(run_id, despite_damage=True) as view:
            contents = pack_journal(view, self.store, job_files, out)
            return Exported(contents, view.damage)

    def refuse_to_go_on(self, view: RunView, *, is_fork: bool) -> None:
        from durably_cli.engines.forking import check_may_fork  # for who plans
        from durably_cli.engines.local.attempt import check_may_go_on
        from durably_cli.engines.local.leftovers import refuse_leftovers
        from durably_cli.engines.local.resume import held_by
        from durably_cli.engines.local.view import JournalView
        from durably_cli.errors import Busy
        from durably_cli.system.ids import short

        assert isinstance(view, JournalView)
        if view.held:
            raise held_by(view, Busy(f"run {short(view.run_id)} is held by another process"))
        if view.damage:
            raise view.damage
        refuse_leftovers(view.path, end=False)
        if is_fork:
            check_may_fork(view.where, view.state)
        elif not view.state.is_final:
            check_may_go_on(self.store, view.path, view.state)

    def noted(self) -> NotedFiles:
        from durably_cli.engines.local.noted_files import NotedFiles  # few projects have any

        return NotedFiles(self.store)
