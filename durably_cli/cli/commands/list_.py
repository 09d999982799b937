"""What `durably list` does: reads journals, changes nothing, imports no job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from durably_cli import hints
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import Unreadable, View
from durably_cli.errors import UsageError
from durably_cli.journal.state import Status
from durably_cli.project import stores
from durably_cli.render import rows
from durably_cli.render.words import visible
from durably_cli.system import ids

if TYPE_CHECKING:
    from rich.console import Console

SCREENFUL = 20
"""How many runs are listed unless a number is given."""


class Filters(NamedTuple):
    """Which runs `durably list` shows; None and what is empty let all through."""

    jobs: list[str]
    statuses: list[Status]
    labels: dict[str, str]
    since: datetime | None

    def let_through(self, run: View | Unreadable) -> bool:
        """Does the run fit every filter that was given?"""
        if self.statuses and run.status not in self.statuses:
            return False
        if isinstance(run, Unreadable):
            return not (self.jobs or self.labels)
        created = run.state.created
        return (not self.jobs or created.job in self.jobs) and (
            self.labels.items() <= created.labels.items()
        )


def run_list(
    project: Path, filters: Filters, count: int | None, *, watch: bool, as_json: bool
) -> int:
    """`durably list`; the exit code.

    A `count` of 0 lists all; without one it is a screenful, and said if there are more.
    """
    store = stores.open_store(project)
    if watch:
        return _watch(store, filters, count)
    fitting = _fitting(store, filters)
    limit = SCREENFUL if count is None else count
    runs = islice(fitting, limit or None)
    out = sys.stdout
    if as_json:
        rows.write_list_json(runs, out)
    elif not out.isatty():
        rows.write_list(runs, out)
    elif not _show_list(runs, out):
        what = "no run fits" if any(filters) else "no runs"
        _say(f"{what} in {visible(str(store.root))}")
    if count is None and next(fitting, None):
        out.flush()
        _say(f"these are the newest {SCREENFUL}; for all of them add -n 0")
    return 0


def _fitting(store: Store, filters: Filters) -> Iterator[View | Unreadable]:
    run_ids = _candidates(store, filters)
    if filters.since is not None:
        since = filters.since
        run_ids = takewhile(lambda run_id: ids.made_at(run_id) >= since, run_ids)
    return filter(filters.let_through, store.look_at(run_ids))


def _candidates(store: Store, filters: Filters) -> Iterator[str]:
    """The runs to look at, newest first."""
    if not (filters.statuses or filters.jobs or filters.labels):
        return store.run_ids()
    from durably_cli.engines.local.index import candidates  # for filters alone

    return candidates(
        store,
        statuses=filters.statuses,
        jobs=filters.jobs,
        labels=filters.labels,
        looking_at_many=_say_that_it_takes_a_while,
    )


def _show_list(runs: Iterator[View | Unreadable], out: TextIO) -> int:
    from durably_cli.render.tables import console_on, show_list

    return show_list(runs, console_on(out))


def _watch(store: Store, filters: Filters, count: int | None) -> int:
    if not sys.stdout.isatty():
        raise UsageError(
            "--watch draws on a terminal, and stdout is none", hint=hints.command("list")
        )
    from durably_cli.render.live import redraw
    from durably_cli.render.tables import show_list

    def draw(console: Console) -> bool:
        if not show_list(islice(_fitting(store, filters), count or console.height - 2), console):
            console.print(f"no runs in {visible(str(store.root))}")
        return True

    redraw(sys.stdout, draw)
    return 0


def _say_that_it_takes_a_while() -> None:
    if sys.stderr.isatty():
        _say("looking at the journals of many runs; the next time there is an index of them")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
