"""`durably prune`: remove old runs for good."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_moment
from durably_cli.cli.asking import confirm, say, show_runs
from durably_cli.cli.parameters import (
    AsJson,
    FreeKeys,
    Statuses,
    Yes,
)
from durably_cli.engines.local.remove import FINAL, remove, sweep
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.errors import Busy, NotFound, UsageError
from durably_cli.journal.state import Status
from durably_cli.project import stores
from durably_cli.render.rows import write_json
from durably_cli.system import clock, ids
from durably_cli.values.quantities import plural, size


@as_command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="How old: 45m, 12h, 30d, 8w, or before a date.")
    ],
    keep_last: Annotated[
        int, typer.Option(min=0, metavar="N", help="Keep the newest N runs of each job.")
    ] = 0,
    status: Statuses = None,
    free_keys: FreeKeys = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs that would go, and leave them.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Remove old runs for good.

    A run is as old as its end, or its last sign of life. The ids of those that are gone are
    printed, one a line. With --json and without --yes it says which would go, and leaves them.

    \b
    Examples:
      durably prune --older-than 30d --dry-run
      durably prune --older-than 30d --keep-last 5 --yes
      durably prune --older-than 8w --status failed --status completed -y
    """
    before = read_moment(older_than, "--older-than")
    looks_only = dry_run or (as_json and not yes)
    options = PruneOptions(before, keep_last, status or [], free_keys, looks_only, yes)
    run = run_prune_json if as_json else run_prune
    return run(project_of(context), options)


_SHOWN = 10


class PruneOptions(NamedTuple):
    """The options of `durably prune`, as they were read."""

    before: datetime
    keep_last: int
    statuses: Collection[Status]
    free_keys: bool
    looks_only: bool
    yes: bool


def run_prune(project: Path, options: PruneOptions) -> int:
    """`durably prune`; the exit code."""
    store = stores.open_store(project)
    freed = 0 if options.looks_only else sweep(store)
    old = list(_old(store, options))
    is_terminal = sys.stdout.isatty()
    if options.looks_only and is_terminal:
        show_runs(store, old, sys.stdout)
    if options.looks_only or not old:
        for run_id in () if is_terminal else old:
            print(run_id)
        nothing = "no run of that age and status is there, or it is held"
        say(f"{plural(len(old), 'run')} would go" if options.looks_only else nothing)
        return 0
    if not options.yes:
        show_runs(store, old[:_SHOWN], sys.stderr)
        if len(old) > _SHOWN:
            say(f"... and {len(old) - _SHOWN:,} more; --dry-run shows them all")
    if not confirm(f"Delete {plural(len(old), 'run')} for good?", yes=options.yes):
        say("nothing was deleted")
        return 0
    gone = 0
    for run_id, bytes_ in _removed(store, old, options):
        gone, freed = gone + 1, freed + bytes_
        print(run_id)
    say(f"deleted {plural(gone, 'run')}, {size(freed)}")
    return 0


def run_prune_json(project: Path, options: PruneOptions) -> int:
    """The same for programs; the exit code."""
    store = stores.open_store(project)
    gone, old, freed = list[str](), list[str](), 0
    try:
        freed += 0 if options.looks_only else sweep(store)
        old += _old(store, options)
        for run_id, bytes_ in () if options.looks_only else _removed(store, old, options):
            gone.append(run_id)
            freed += bytes_
    finally:
        left = old if options.looks_only else []
        document.suggest(hints.command("list"), hints.command("help", "care"))
        members = {"deleted": gone, "would_delete": left, "freed_bytes": freed}
        write_json(members, document.on(sys.stdout))
    return 0


def _removed(store: Store, run_ids: list[str], options: PruneOptions) -> Iterator[tuple[str, int]]:
    """Remove the runs: each with how many bytes that freed, but for those that may not go now."""
    for run_id in run_ids:
        try:
            freed = remove(store, run_id, options.statuses or FINAL, free_key=options.free_keys)
        except (Busy, NotFound, UsageError):  # resumed or deleted since it was looked at
            continue
        yield run_id, freed


def _old(store: Store, options: PruneOptions) -> Iterator[str]:
    """The runs that may go, newest first."""
    seen: Counter[str] = Counter()
    for run in store.views():
        job = "" if isinstance(run, Unreadable) else run.state.created.job
        seen[job] += 1
        is_young = ids.made_at(run.run_id) >= options.before or _ended(run) >= options.before
        if seen[job] <= options.keep_last or is_young:
            continue
        held = isinstance(run, RunView) and run.held
        if not held and run.status in (options.statuses or FINAL):
            yield run.run_id


def _ended(run: RunView | Unreadable) -> datetime:
    """When the run ended; of one that has not, when it gave its last sign of life."""
    if isinstance(run, Unreadable):
        return ids.made_at(run.run_id)
    state = run.state
    last = state.attempts[-1].last if state.attempts else state.created.at
    return clock.parse_time(state.ended or last)
