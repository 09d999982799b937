"""The engine of a project: the one place that knows which there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.local.runs import LocalRuns
from durably_cli.project import stores

if TYPE_CHECKING:
    from durably_cli.engines.runs import Runs


def open_runs(project: Path) -> Runs:
    """The runs of a project, to be looked at. It raises what `open_store` does."""
    return LocalRuns(stores.open_store(project))
