"""What came of the runs that `tick` took up: rows, a document, and a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from durably_cli.engines.local.lookout import ToTakeUp
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.render.reason import reason
from durably_cli.render.rows import row, write_json
from durably_cli.render.waits import when_due
from durably_cli.system.ids import short
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.run_types import RunTakenUp

COLUMNS = ("id", "job", "why", "status", "due", "exit", "reason")
"""The columns of a run in a pipe: fixed, and only ever appended to."""

IN_WORDS = {
    "due": "its time has come",
    "signal": "a signal has come",
    "died": "its process has died",
}


def taken_up(
    found: ToTakeUp, run: RunView | Unreadable | None, exit: int | None, said: str | None = None
) -> RunTakenUp:
    """A run as it stands now; `said` is the reason, if it does not follow from that."""
    view = run if isinstance(run, RunView) else None
    return {
        "id": found.run_id,
        "job": found.job,
        "why": found.why,
        "status": run.status if run is not None else "deleted",
        "due": when_due(view) if view else None,
        "exit": exit,
        "reason": said or (reason(view) if view else None),
    }


def write_row(run: RunTakenUp, out: TextIO) -> None:
    """Its line in a pipe."""
    out.write(row(*run.values()))


def write_document(runs: Sequence[RunTakenUp], removed: Sequence[str], out: TextIO) -> None:
    """{"schema": 1, "runs": [...], and no last brace: the document goes on."""
    write_json({"runs": runs, "removed": removed}, out)


def draw(runs: Iterable[RunTakenUp], out: TextIO) -> None:
    """All of them as a table on a terminal."""
    from rich.table import Table  # only a terminal needs it
    from rich.text import Text

    from durably_cli.render.colours import status_text
    from durably_cli.render.tables import GAP, console_on

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name in ("run", "job", "why", "status", "notes"):
        table.add_column(name, no_wrap=name != "notes", overflow="fold")
    for run in runs:
        table.add_row(
            Text(short(run["id"]), style="bold"),
            Text(visible(run["job"])),
            Text(IN_WORDS[run["why"]]),
            status_text(run["status"]),
            Text(visible(run["reason"] or ""), style="dim"),
        )
    console_on(out).print(table)
