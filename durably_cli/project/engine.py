"""The engine of a project: the one place that knows which there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.local.engine import LocalEngine
from durably_cli.project import stores

if TYPE_CHECKING:
    from durably_cli.engines.engine import Engine
    from durably_cli.engines.runs import Runs


def open_engine(project: Path) -> Engine:
    """The engine that executes the runs of a project. It raises what `open_store` does."""
    return LocalEngine(stores.open_store(project))


def open_runs(project: Path) -> Runs:
    """The runs of a project, to be looked at."""
    return open_engine(project).runs
