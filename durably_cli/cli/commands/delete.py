"""What `durably delete` and `durably prune` do: remove runs for good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.cli.asking import confirm, say
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.lookup import find_claim, find_run, job_and_key
from durably_cli.engines.local.remove import remove, sweep
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import Unreadable, View, is_imported
from durably_cli.errors import Busy, JournalError, NotFound, UsageError
from durably_cli.journal.state import Status
from durably_cli.project import stores
from durably_cli.render.words import age
from durably_cli.system import ids
from durably_cli.values.quantities import plural, size

FINAL = (Status.COMPLETED, Status.CANCELLED)
"""What may go without being asked for: it cannot be resumed."""

_SHOWN = 10


class PruneOptions(NamedTuple):
    """The options of `durably prune`, as they were read."""

    before: datetime
    keep_last: int
    statuses: Collection[Status]
    free_keys: bool
    dry_run: bool
    yes: bool


def run_delete(
    project: Path, meant: list[str], statuses: Collection[Status], *, free_keys: bool
) -> int:
    """`durably delete`; the exit code. What is meant is looked up before anything is removed."""
    store = stores.open_store(project)
    freed = sweep(store)
    runs = [run for one in meant if (run := _run_or_freed(store, one, free_keys)) is not None]
    for run_id in runs:
        freed += remove(store, run_id, statuses or FINAL, free_key=free_keys)
        print(run_id)
    if runs:
        say(f"deleted {plural(len(runs), 'run')}, {size(freed)}")
    return 0


def run_prune(project: Path, options: PruneOptions) -> int:
    """`durably prune`; the exit code."""
    store = stores.open_store(project)
    freed = 0 if options.dry_run else sweep(store)
    old = list(_old(store, options))
    if options.dry_run or not old:
        for run_id in old:
            print(run_id)
        nothing = "no run of that age and status is there, or it is held"
        say(f"{plural(len(old), 'run')} would go" if options.dry_run else nothing)
        return 0
    if not options.yes:
        _show(old)
    if not confirm(f"Delete {plural(len(old), 'run')} for good?", yes=options.yes):
        say("nothing was deleted")
        return 0
    gone = 0
    for run_id in old:
        try:
            freed += remove(store, run_id, options.statuses or FINAL, free_key=options.free_keys)
        except (Busy, NotFound, UsageError):  # resumed or deleted since it was looked at
            continue
        gone += 1
        print(run_id)
    say(f"deleted {plural(gone, 'run')}, {size(freed)}")
    return 0


def _show(old: list[str]) -> None:
    for run_id in old[:_SHOWN]:
        say(f"  {run_id}  {age(f'{ids.made_at(run_id):%Y-%m-%dT%H:%M:%S.000Z}')} old")
    if len(old) > _SHOWN:
        say(f"  ... and {len(old) - _SHOWN:,} more; --dry-run prints them all")


def _old(store: Store, options: PruneOptions) -> Iterator[str]:
    """The runs that may go, newest first."""
    kept: Counter[str] = Counter()
    for run in store.views():
        job = "" if isinstance(run, Unreadable) else run.state.created.job
        kept[job] += 1
        if kept[job] <= options.keep_last or ids.made_at(run.run_id) >= options.before:
            continue
        held = isinstance(run, View) and run.held
        if not held and run.status in (options.statuses or FINAL):
            yield run.run_id


def _run_or_freed(store: Store, meant: str, free_keys: bool) -> str | None:
    """The run that is meant; None if it was the key of a deleted run, which is now free."""
    if not meant.startswith("key:"):
        return find_run(store, meant)
    claims = Claims(store.root)
    try:
        claim = find_claim(store, meant)
    except JournalError:
        if not free_keys:
            raise
        claims.free(claims.path(*job_and_key(meant)))
        say(f"the claim of {meant} was damaged; it is free")
        return None
    if claim is None or _is_there(store, claim[1]) or not (claim[1].deleted or free_keys):
        return find_run(store, meant)
    if not free_keys:
        raise NotFound(
            f"the run of {meant} was deleted {age(claim[1].deleted or '')} ago",
            hint=f"{hints.command('help', 'care')}    (says how to free its key)",
        )
    claims.free(claim[0])
    say(f"{meant} is free")
    return None


def _is_there(store: Store, claim: Claim) -> bool:
    """Is the run of a claim there? Of a deleted one an imported copy is another matter."""
    path = store.path_of(claim.run)
    return path.exists() and not (claim.deleted and is_imported(path))
