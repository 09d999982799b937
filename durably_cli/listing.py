"""What `durably list` does: reads journals, changes nothing, imports no job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from durably_cli import ids, paths
from durably_cli.render import plain
from durably_cli.render.text import visible
from durably_cli.state import Status
from durably_cli.store import Store, Unreadable, View


class Filters(NamedTuple):
    """Which runs `durably list` shows; an unreadable one unless a filter asks what it hides."""

    jobs: list[str]
    statuses: list[Status]
    labels: dict[str, str]
    since: datetime | None

    def let_through(self, run: View | Unreadable) -> bool:
        """Does the run fit every filter that was given?"""
        if isinstance(run, Unreadable):
            return not (self.jobs or self.statuses or self.labels)
        created = run.state.created
        return (
            (not self.jobs or created.job in self.jobs)
            and (not self.statuses or run.status in self.statuses)
            and self.labels.items() <= created.labels.items()
        )


def run_list(project: Path, filters: Filters, count: int, *, as_json: bool) -> int:
    """`durably list`; the exit code."""
    store = paths.open_store(project)
    runs = _found(store, filters)
    if count:
        runs = islice(runs, count)
    out = sys.stdout
    if as_json:
        plain.write_list_json(runs, out)
    elif out.isatty():
        _show_list(runs, store, out)
    else:
        plain.write_list(runs, out)
    return 0


def _found(store: Store, filters: Filters) -> Iterator[View | Unreadable]:
    for run in store.views():
        if filters.since is not None and ids.made_at(run.run_id) < filters.since:
            return
        if filters.let_through(run):
            yield run


def _show_list(runs: Iterator[View | Unreadable], store: Store, out: TextIO) -> None:
    from rich.console import Console  # for terminals alone

    from durably_cli.render.terminal import show_list

    if not show_list(runs, Console(file=out, highlight=False, emoji=False, markup=False)):
        print(f"no runs in {visible(str(store.root))}", file=sys.stderr)
