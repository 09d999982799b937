"""What is shown of the runs that are steps of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durably_cli.engines.run_view import RunView

if TYPE_CHECKING:
    from durably_cli.render.run_types import ChildFields


def child_fields(view: RunView) -> list[ChildFields]:
    """Its children, and theirs behind each, for --json."""
    if not view.state.children:
        return []
    from durably_cli.engines.family import children_of  # few runs have any

    return [
        {
            "step": child.step,
            "run": child.run_id,
            "job": child.view.state.created.job if isinstance(child.view, RunView) else None,
            "status": str(child.view.status) if child.view is not None else None,
            "depth": child.depth,
        }
        for child in children_of(view)
    ]
