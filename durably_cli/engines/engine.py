"""What commands ask of an engine, whichever executes the runs of a project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from durably_cli.engines.noted import Noted
from durably_cli.engines.runs import Runs
from durably_cli.engines.signal import Signalled
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.bundle import Exported
    from durably_cli.engines.removal import Removal
    from durably_cli.engines.run_view import RunView


class Engine(Protocol):
    """It executes the runs of a project, in this process or elsewhere."""

    @property
    def runs(self) -> Runs:
        """Its runs, to be looked at."""

    @property
    def has_workers(self) -> bool:
        """Do processes of its own go on with runs, without anybody who resumes them?"""

    @property
    def removal(self) -> Removal:
        """What removes its runs."""

    def cancel(self, run_id: str, reason: str | None, seconds: float) -> bool:
        """End a run for good; False if it was cancelled before.

        Conflict if it has ended otherwise; Busy if who executes it has not ended it within so many
        seconds, which it still will.
        """

    def signal(
        self, run_id: str, name: str, value: Json, *, even_if_early: bool = False
    ) -> Signalled:
        """Send a run, or one below it, a signal: see `send_to_run`."""

    def export(self, run_id: str, job_files: Iterable[Path], out: BinaryIO) -> Exported:
        """Write a run into one file as it stands now, with the job's file if it is one of these."""

    def refuse_to_go_on(self, view: RunView, *, is_fork: bool) -> None:
        """Raise what a resume, or a fork, of the run would, but for what only the job knows."""

    def noted(self) -> Noted:
        """What is noted of its runs, for notices."""
